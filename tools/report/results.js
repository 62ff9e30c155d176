// Results: suites by runs.

function element(tag, attributes, ...children) {
	const e = Object.assign(document.createElement(tag), attributes);

	e.append(...children);
	return e;
}

function byId(id) {
	return document.getElementById(id);
}

// {suite: {run: [[name, outcome], ...]}}
function suitesOf(runs) {
	const suites = new Map();

	for (const run of runs)
		for (const [suite, name, outcome] of run.results) {
			if (!suites.has(suite))
				suites.set(suite, new Map());
			const byRun = suites.get(suite);

			if (!byRun.has(run.name))
				byRun.set(run.name, []);
			byRun.get(run.name).push([name, outcome]);
		}
	return suites;
}

function count(tests, outcome) {
	return tests.filter((test) => test[1] === outcome).length;
}

function outcomeOf(tests) {
	if (count(tests, "failed"))
		return "failed";
	return count(tests, "ok") ? "ok" : "skipped";
}

function showTests(suite, run, tests) {
	byId("tests").replaceChildren(
		element("h3", {}, `${suite} in ${run}`),
		element("ul", {}, ...tests.map(([name, outcome]) =>
			element("li", { className: outcome }, name))));
}

function cell(suite, run, tests) {
	if (!tests)
		return element("td", {});
	const failed = count(tests, "failed"), skipped = count(tests, "skipped");
	const text = (failed ? `${failed} of ${tests.length} failed` : `${tests.length - skipped}`) +
		(skipped ? ` (${skipped} skipped)` : "");

	return element("td", { className: outcomeOf(tests), onclick: () =>
		showTests(suite, run, tests) }, text);
}

function showResults() {
	const suites = suitesOf(data.runs), all = data.runs.flatMap((run) => run.results);
	const sum = (outcome) => all.filter((result) => result[2] === outcome).length;
	const wrong = data.runs.flatMap((run) => run.errors.map((error) => `${run.name}: ${error}`)
		.concat(run.results.filter((result) => result[2] === "failed")
			.map(([suite, name]) => `${run.name}: ${suite}.${name} failed`)));

	byId("sum").textContent = all.length ?
		`${data.commit}: ${sum("ok")} passed, ${sum("failed")} failed, ${sum("skipped")} skipped` :
		`${data.commit}: no results; make test leaves them`;
	byId("failures").append(...wrong.map((text) => element("p", { className: "bad" }, text)));
	byId("matrix").append(
		element("thead", {}, element("tr", {}, element("th", {}, "suite"),
			...data.runs.map((run) => element("th", { title: run.command }, run.name)))),
		element("tbody", {}, ...[...suites.keys()].sort().map((suite) =>
			element("tr", {}, element("th", {}, suite), ...data.runs.map((run) =>
				cell(suite, run.name, suites.get(suite).get(run.name)))))));
}

showResults();
