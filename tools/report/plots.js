// Measurements: a plot for each case and page size, a line for each implementation and depth.

const COLOURS = { generic: "#1b5fa8", shared: "#1b5fa8", eager: "#2f9e44", handwritten: "#e8590c",
	classic: "#9c36b5", linux: "#c92a2a" };
const COMPACT = new Intl.NumberFormat("en", { notation: "compact" });
const KIB = 1024, UNITS = ["", "K", "M", "G", "T"];

function sizeText(bytes) {
	let unit = 0;

	for (; bytes >= KIB && bytes % KIB === 0; bytes /= KIB)
		unit++;
	return `${bytes}${UNITS[unit]}`;
}

// [[key, items], ...] in the order of first appearance.
function groupBy(items, key) {
	const groups = new Map();

	for (const item of items) {
		const k = key(item);

		groups.set(k, [...(groups.get(k) ?? []), item]);
	}
	return [...groups];
}

function valuesAt(sizes, rows) {
	return sizes.map((size) => rows.find((row) => row.size_bytes === size)?.instructions ?? null);
}

function lineOf(key) {
	const [impl, levels] = key.split(" ");

	return {
		label: `${impl}, ${levels} levels`,
		stroke: COLOURS[impl] ?? "#555",
		dash: levels === "5" ? [6, 4] : undefined,
		width: 2,
		spanGaps: true,
		points: { show: true, size: 6 },
	};
}

function plot(title, rows) {
	const sizes = [...new Set(rows.map((row) => row.size_bytes))].sort((a, b) => a - b);
	const lines = groupBy(rows, (row) => `${row.impl} ${row.levels}`);
	const figure = element("figure", {}, element("figcaption", {}, title));

	byId("plots").append(figure);
	new uPlot({
		width: Math.max(380, figure.clientWidth - 20), height: 300,
		scales: { x: { time: false, distr: 3, log: 2 }, y: { distr: 3, log: 10 } },
		axes: [
			{ values: (_, ticks) => ticks.map((tick) => sizes.includes(tick) ? sizeText(tick) : ""),
				splits: () => sizes },
			{ size: 60, values: (_, ticks) => ticks.map((tick) =>
				/^10*$/.test(String(tick)) ? COMPACT.format(tick) : "") },
		],
		legend: { live: false },
		series: [{ label: "size", value: (_, size) => size === null ? "-" : sizeText(size) },
			...lines.map(([key]) => lineOf(key))],
	}, [sizes, ...lines.map(([, some]) => valuesAt(sizes, some))], figure);
}

// What was measured at one size only.
function showTable(rows) {
	const key = (row) => `${row.impl}, ${row.levels} levels`;
	const columns = groupBy(rows, key).map(([name]) => name).sort();
	const lines = groupBy(rows, (row) =>
		`${row.case}, ${sizeText(row.size_bytes)} in pages of ${sizeText(row.page_bytes)}`);

	byId("plots").after(element("table", { id: "single" },
		element("tr", {}, element("th", {}, "instructions"),
			...columns.map((name) => element("th", {}, name))),
		...lines.map(([title, some]) => element("tr", {}, element("th", {}, title),
			...columns.map((name) => element("td", {}, some.find((row) => key(row) === name)
				?.instructions.toLocaleString("en") ?? ""))))));
}

// The part of a case that clears and copies contents is a case of its own, and not shown.
function showPlots() {
	const positive = data.bench.filter((row) => row.size_bytes > 0 && row.instructions > 0 &&
		!row.case.endsWith("_content"));
	const groups = groupBy(positive, (row) => `${row.case}, pages of ${sizeText(row.page_bytes)}`);
	const isPlot = ([, rows]) => new Set(rows.map((row) => row.size_bytes)).size > 1;
	const single = groups.filter((group) => !isPlot(group)).flatMap(([, rows]) => rows);

	for (const [title, rows] of groups.filter(isPlot))
		plot(title, rows);
	if (single.length)
		showTable(single);
	if (!groups.length)
		byId("plots").append(element("p", {}, "None: make bench measures, and make bench-linux " +
			"adds Debian's Linux."));
	else if (!positive.some((row) => row.impl === "linux"))
		byId("bench").querySelector("p").append(" (Linux: make bench-linux.)");
}

showPlots();
