// Opens build/report.html in headless Chromium and uses it as a person would. Prints KTAP.
//
//   node tests/report.mjs MODULES    (the node_modules that npm has filled; CHROMIUM=path)
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const modules = resolve(process.argv[2]);
const build = process.env.BUILD || "build";
const puppeteer = createRequire(`${modules}/`)("puppeteer-core");
const chromium = process.env.CHROMIUM ||
	["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
const results = [];

function report(ok, name, detail) {
	results.push(Boolean(ok));
	console.log(`${ok ? "ok" : "not ok"} ${results.length} ${name}`);
	if (!ok)
		console.log(`# got ${JSON.stringify(detail)}`);
}

function text(page, selector) {
	return page.$eval(selector, (e) => e.textContent);
}

function countOf(page, selector) {
	return page.$$eval(selector, (all) => all.length);
}

async function choose(page, dump) {
	await page.select("#dump", dump);
	return text(page, "#answer");
}

async function find(page, address) {
	await page.$eval("#address", (e, value) => { e.value = value; }, address);
	await page.click("#controls button");
	return text(page, "#answer");
}

async function checkSections(page, data) {
	const suites = new Set(data.runs.flatMap((run) => run.results.map((result) => result[0])));
	const sizes = new Map();

	for (const row of data.bench.filter((r) => r.size_bytes && r.instructions &&
		!r.case.endsWith("_content"))) {
		const key = `${row.case} ${row.page_bytes}`;

		sizes.set(key, (sizes.get(key) ?? new Set()).add(row.size_bytes));
	}
	const plots = [...sizes.values()].filter((some) => some.size > 1).length;

	report(await countOf(page, "#matrix tbody tr") === suites.size, "a row for each suite",
		suites.size);
	if (suites.size) {
		await page.click("#matrix td:not(:empty)");
		report(await countOf(page, "#tests li"), "a cell shows its tests", 0);
	}
	report(await countOf(page, "#plots canvas") === plots, "a plot for each case", plots);
	report(await countOf(page, "#single tr") === (sizes.size > plots ? sizes.size - plots + 1 : 0),
		"a line for what has one size", sizes.size);
	report(await countOf(page, "#drawings svg") === 8, "four pictures for each depth", 0);
}

async function checkDepth(page, depth) {
	const child = await choose(page, `${depth} levels, fork/child`);

	report(child.startsWith(`x86-64, ${depth} levels`), `${depth} levels: a dump opens`, child);
	const inherited = await find(page, "0x400123");

	report(/^0x400123 is at pa 0x\w+123, effective r--u, by a leaf of level 0$/.test(inherited),
		`${depth} levels: finds an address`, inherited);
	report(await countOf(page, "#path .table") === depth && await countOf(page, "#path .picked") ===
		depth, `${depth} levels: shows its path`, 0);
	report(await countOf(page, "#path h3.shared") === 1, `${depth} levels: marks the shared table`);
	await choose(page, `${depth} levels, fork/parent`);
	report(await find(page, "0x400123") === inherited, `${depth} levels: the parent has the same`);
	await choose(page, `${depth} levels, write/child`);
	const own = await find(page, "0x400123");

	report(/effective rw-u/.test(own) && own.slice(0, 40) !== inherited.slice(0, 40),
		`${depth} levels: the child's own after its write`, own);
	report(/^0x402000 is not mapped/.test(await find(page, "0x402000")), `${depth} levels: a hole`);
	const huge = await find(page, "0x40012345");

	report(/is at pa 0x\w+12345, effective r--u, by a leaf of level 1$/.test(huge),
		`${depth} levels: a huge leaf`, huge);
	await choose(page, `${depth} levels, kernel/kernel`);
	const kernel = await find(page, "0xffffffff80110000");

	report(/ is at pa 0x110000, effective r-x-, by/.test(kernel), `${depth} levels: the kernel`,
		kernel);
	await choose(page, `${depth} levels, mirror/device`);
	const device = await find(page, "0x600000");

	report(/ is at pa 0x\w+, effective r.--, by a leaf/.test(device), `${depth} levels: a mirror`,
		device);
}

async function checkClicks(page) {
	await choose(page, "5 levels, before/parent");
	for (let i = 0; i < 4; i++)
		await page.click("#path .table:last-child .table-entry");
	await page.click("#path .table:last-child .leaf-entry");
	const answer = await text(page, "#answer");

	report(/^0x400000 is at pa 0x\w+, effective rw-u/.test(answer), "clicking leads down", answer);
	report(/"zz" is not a number/.test(await find(page, "zz")), "what is no number");
	report(/outside/.test(await find(page, "-1")), "what no table covers");
}

async function checkFile(page, data) {
	const name = `${build}/report/dump.log`, dump = data.dumps["4 levels, before/parent"];
	const tables = dump.tables.map((table) => JSON.stringify(table)).join("\n,");

	writeFileSync(name, `ptolemy> ptdump parent json\n{"format": "x86-64", "levels": 4, "root": ` +
		`"${dump.root}", "first": "${dump.first}", "last": "${dump.last}",\n"tables": [\n${tables}` +
		"\n]}\nptolemy> \n");
	await (await page.$("#file")).uploadFile(name);
	await page.waitForFunction(() => /^x86-64, 4 levels/.test(
		document.getElementById("answer").textContent), { timeout: 10000 });
	const answer = await find(page, "0x401000");

	report(/is at pa 0x\w+000, effective rw-u/.test(answer), "opens a file", answer);
}

async function main() {
	const file = resolve(`${build}/report.html`), html = readFileSync(file, "utf8");
	const data = JSON.parse(html.match(/type="application\/json">(.*?)<\/script>/s)[1]);
	const browser = await puppeteer.launch({ executablePath: chromium,
		args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] });
	const errors = [];

	try {
		const page = await browser.newPage();

		page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
		page.on("pageerror", (error) => errors.push(String(error)));
		page.on("request", (request) => /^(file|data|blob):/.test(request.url()) ||
			errors.push(`asks for ${request.url()}`));
		await page.setViewport({ width: 1400, height: 1000 });
		await page.goto(pathToFileURL(file).href);
		await checkSections(page, data);
		for (const depth of [4, 5])
			await checkDepth(page, depth);
		await checkClicks(page);
		await checkFile(page, data);
		for (const name of ["results", "bench", "explorer"])
			await (await page.$(`#${name}`)).screenshot({ path: `${build}/report/${name}.png` });
	} catch (error) {
		errors.push(String(error));
	} finally {
		await browser.close();
	}
	report(!errors.length, "no error on the console, nothing fetched", errors);
}

console.log("KTAP version 1");
await main();
console.log(`1..${results.length}`);
process.exit(results.every(Boolean) ? 0 : 1);
