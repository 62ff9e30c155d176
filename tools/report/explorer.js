// The explorer: walks a dump (kernel/shell/dump.h) from the top table down.

const PAGE_SHIFT = 12n, TABLE_BITS = 9n, RIGHTS = "rwxu";
let tree = null, tables = null, path = []; // path: the entries picked, from the top

function shiftOf(level) {
	return PAGE_SHIFT + TABLE_BITS * BigInt(level);
}

function hex(number) {
	return `0x${number.toString(16)}`;
}

// The first address of an entry: canonical, so the top bit goes on to the left.
function addressOf(picked) {
	let va = 0n;

	for (const { table, index } of picked)
		va |= BigInt(index) << shiftOf(table.level);
	const bits = shiftOf(tree.levels);

	return tree.format === "x86-64" && va >> bits - 1n ? va | (1n << 64n) - (1n << bits) : va;
}

function runAt(table, index) {
	return table.entries.find((e) => e.index <= index && index < e.index + e.count);
}

function paOf(picked) {
	const { table, index, entry } = picked;

	return BigInt(entry.pa) + (BigInt(index - entry.index) << shiftOf(table.level));
}

// What all entries of a path grant together.
function effective(picked) {
	return [...RIGHTS].map((right, i) =>
		picked.every(({ entry }) => entry.attr && entry.attr[i] === right) ? right : "-").join("");
}

function describe(picked, va) {
	const last = picked[picked.length - 1];

	if (!last || !last.entry)
		return `${hex(va)} is not mapped (level ${last ? last.table.level : "?"} has nothing there)`;
	if (last.entry.kind !== "leaf")
		return `${hex(va)}: ${last.entry.kind}`;
	const offset = va & (1n << shiftOf(last.table.level)) - 1n;

	return `${hex(va)} is at pa ${hex(paOf(last) + offset)}, effective ${effective(picked)}, ` +
		`by a leaf of level ${last.table.level}`;
}

function walk(va) {
	const picked = [];
	let table = tables.get(tree.root);

	while (table) {
		const index = Number(va >> shiftOf(table.level) & 511n);
		const entry = runAt(table, index);

		picked.push({ table, index, entry });
		table = entry?.kind === "table" ? tables.get(entry.pa) : null;
	}
	return picked;
}

function covers(va) {
	return va >= BigInt(tree.first) && va <= BigInt(tree.last);
}

function find(text) {
	let va;

	try {
		va = BigInt(text.trim());
	} catch {
		byId("answer").textContent = `"${text}" is not a number`;
		return;
	}
	if (va < 0n || !covers(va)) {
		byId("answer").textContent = `${text} is outside ${tree.first}-${tree.last}`;
		return;
	}
	path = walk(va);
	byId("answer").textContent = describe(path, va);
	draw();
}

function pick(depth, table, index, entry) {
	path = [...path.slice(0, depth), { table, index, entry }];
	const va = addressOf(path);

	byId("answer").textContent = entry.kind === "table" ?
		`from ${hex(va)}: ${hex(1n << shiftOf(table.level))} bytes, effective ${effective(path)}` :
		describe(path, va);
	draw();
}

function entryButton(depth, table, entry) {
	const picked = path[depth]?.table === table && path[depth].entry === entry;
	const last = entry.index + entry.count - 1;
	const index = entry.count > 1 ? `${entry.index}-${last}` : `${entry.index}`;

	return element("button", {
		type: "button",
		className: `mono ${entry.kind}-entry${picked ? " picked" : ""}`,
		title: `raw ${entry.raw}`,
		onclick: () => pick(depth, table, picked ? path[depth].index : entry.index, entry),
	}, `${index.padStart(7)} ${entry.kind.padEnd(5)} ${(entry.pa ?? "").padStart(12)} ` +
		`${entry.attr ?? ""}`);
}

function tableBox(depth, table) {
	return element("div", { className: "table" },
		element("h3", { className: table.edges > 1 ? "shared" : "" },
			`level ${table.level} at ${table.pa}: ${table.live} live, ${table.edges} edges`),
		element("ol", {}, ...table.entries.map((entry) =>
			element("li", {}, entryButton(depth, table, entry)))));
}

function draw() {
	const boxes = [];
	let table = tables.get(tree.root);

	for (let depth = 0; table; depth++) {
		boxes.push(tableBox(depth, table));
		const picked = path[depth];

		table = picked?.entry?.kind === "table" ? tables.get(picked.entry.pa) : null;
	}
	byId("path").replaceChildren(...boxes);
	for (const button of document.querySelectorAll("#path .picked"))
		button.closest("ol").scrollTop = button.offsetTop - button.closest("ol").offsetTop;
}

function open(dump) {
	tree = dump;
	tables = new Map(dump.tables.map((table) => [table.pa, table]));
	path = [];
	byId("answer").textContent = `${dump.format}, ${dump.levels} levels, ${dump.tables.length} ` +
		`tables, ${dump.first}-${dump.last}`;
	draw();
}

// A dump may come with what was printed around it.
async function openFile(file) {
	const text = await file.text();

	try {
		open(JSON.parse(text.match(/\{"format"[^]*?\n\]\}/)[0]));
		byId("dump").value = "";
	} catch (error) {
		byId("answer").textContent = `${file.name}: no dump in it (${error.message})`;
	}
}

function showExplorer() {
	const names = Object.keys(data.dumps);

	byId("dump").append(...names.map((name) => element("option", {}, name)));
	byId("dump").onchange = () => open(data.dumps[byId("dump").value]);
	byId("file").onchange = () => openFile(byId("file").files[0]);
	byId("controls").onsubmit = (event) => {
		event.preventDefault();
		if (tree)
			find(byId("address").value);
	};
	if (names.length)
		open(data.dumps[names[0]]);
	else
		byId("answer").textContent = "No dump here: open a file, or make picture.";
}

showExplorer();
