// Runs the models of a folder from `go run ./scripts/interop` in onnxruntime-node, and
// in onnxruntime-web in a headless Chromium:
//
//	node main.mjs FOLDER
//
// Every answer must match the native engine's within 1e-5. Without Chromium the
// program skips the second part, unless RNNKIT_REQUIRE_CHROMIUM=1.

import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

import * as ort from "onnxruntime-node";

import { check } from "./cases.mjs";

const folder = process.argv[2];
const here = fileURLToPath(new URL(".", import.meta.url));
const names = readdirSync(folder).filter(f => f.endsWith(".onnx")).map(f => basename(f, ".onnx"));
if (names.length == 0) throw new Error(`no models in ${folder}`);
const patience = 120_000; // ms, for the browser
const folders = { models: folder, js: here, "onnxruntime-web": join(here, "node_modules/onnxruntime-web/dist") };
const types = { html: "text/html", mjs: "text/javascript", wasm: "application/wasm", json: "application/json" };

report("onnxruntime-node", await inNode());
const chromium = ["chromium", "chromium-browser", "google-chrome"].find(c => spawnSync(c, ["--version"]).status === 0);
if (chromium) {
	report("onnxruntime-web", await inBrowser(chromium));
} else if (process.env.RNNKIT_REQUIRE_CHROMIUM == "1") {
	throw new Error("there is no Chromium on the path: apt-get install chromium");
} else {
	console.log("onnxruntime-web is left out: there is no Chromium on the path");
}

async function inNode() {
	ort.env.logLevel = "error";
	const results = {};
	for (const name of names) {
		const [model, cases] = [readFileSync(join(folder, `${name}.onnx`)), readFileSync(join(folder, `${name}.json`), "utf8")];
		results[name] = await check(ort, name, model, JSON.parse(cases));
	}
	return results;
}

// inBrowser serves page.html on loopback and returns the results that it posts.
async function inBrowser(chromium) {
	let answered, failed;
	const answer = new Promise((resolve, reject) => [answered, failed] = [resolve, reject]);
	const server = createServer((request, response) => serve(request, response, answered).catch(failed));
	await new Promise(ready => server.listen(0, "127.0.0.1", ready));
	const profile = mkdtempSync(join(tmpdir(), "rnnkit-chromium-"));
	const browser = spawn(chromium, [
		"--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", `--user-data-dir=${profile}`,
		...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
		`http://127.0.0.1:${server.address().port}/js/page.html`,
	], { stdio: "ignore" });
	const gone = new Promise(done => browser.once("exit", done));
	gone.then(status => failed(new Error(`${chromium} has ended with status ${status}`)));
	browser.once("error", failed);
	const timer = setTimeout(() => failed(new Error(`${chromium} has not answered within ${patience / 1000} s`)), patience);
	try {
		const { results, error } = await answer;
		if (error) throw new Error(error);
		return results;
	} finally {
		clearTimeout(timer);
		server.close();
		server.closeAllConnections();
		browser.kill();
		await gone;
		rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
	}
}

// serve responds with the names of the models, or with a file from one of the folders.
async function serve(request, response, answered) {
	const [, area, file] = request.url.split("/");
	if (request.method == "POST") {
		response.end();
		answered(JSON.parse(await text(request)));
	} else if (request.url == "/models") {
		response.setHeader("Content-Type", types.json).end(JSON.stringify(names));
	} else if (area in folders) {
		const data = readFileSync(join(folders[area], basename(file)));
		response.setHeader("Content-Type", types[file.split(".").pop()] ?? "application/octet-stream").end(data);
	} else {
		response.writeHead(404).end(); // the page's icon
	}
}

async function text(stream) {
	const parts = [];
	for await (const part of stream) parts.push(part);
	return Buffer.concat(parts).toString();
}

function report(runtime, results) {
	const all = Object.values(results);
	const sum = key => all.reduce((n, r) => n + r[key], 0);
	const worst = Math.max(...all.map(r => r.worst));
	console.log(`${runtime}: ${all.length} models, ${sum("whole")} cases whole, ${sum("stepped")} step by step, off by ${worst.toExponential(1)} at most`);
}
