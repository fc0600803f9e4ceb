// SPDX-License-Identifier: MIT
// What the page does: it draws what comes as server-sent events, and posts what is pressed.
"use strict";
const facts = JSON.parse(document.getElementById("facts").textContent);
const $ = id => document.getElementById(id);
const CLASS = {".": "rest", "m": "mapped", "H": "held", "B": "busy"};
let state = {};

function press(what) {
	fetch("/press", {method: "POST", headers: {"X-Key": facts.key}, body: JSON.stringify(what)})
		.then(answer => answer.ok || answer.text().then(text => say(text)), () => say("the machine is gone"));
}

function say(text) { $("state").textContent = text; }

function element(name, text, kind) {
	const e = document.createElement(name);
	if (text) e.textContent = text;
	if (kind) e.className = kind;
	return e;
}

function fill(id, items, none) {
	$(id).replaceChildren(...(items.length ? items : [element("li", none, "none")]));
}

// ---- the map: a row has its cells for ever, and only what changed is touched

function newRow() {
	const row = element("div", "", "row");
	row.append(element("code"), element("div", "", "cells"));
	return row;
}

function drawRow(row, data) {
	const label = `${data.device} ${data.pfn.toString(16)}${data.unit > 1 ? " ×" + data.unit : ""}`;
	const [name, cells] = row.children;
	if (name.textContent !== label) name.textContent = label;
	while (cells.children.length > data.cells.length) cells.lastChild.remove();
	while (cells.children.length < data.cells.length) cells.append(element("i"));
	[...data.cells].forEach((letter, n) => {
		const cell = cells.children[n], pfn = data.pfn + n * data.unit, kind = CLASS[letter] || "";
		if (cell.className !== kind) cell.className = kind;
		if (cell.dataset.pfn !== String(pfn)) {
			cell.dataset.pfn = pfn;
			cell.title = "0x" + pfn.toString(16);
		}
	});
}

function drawPages(data) {
	const map = $("map");
	map.querySelectorAll(".none").forEach(e => data.rows.length && e.remove());
	while (map.querySelectorAll(".row").length > data.rows.length) map.lastChild.remove();
	while (map.querySelectorAll(".row").length < data.rows.length) map.append(newRow());
	data.rows.forEach((row, n) => drawRow(map.querySelectorAll(".row")[n], row));
	["mapped", "held", "busy"].forEach((name, n) => { $("n-" + name).textContent = data.counts[3 + n]; });
	fill("pages", data.pages.map(page => {
		const item = element("li"), kind = CLASS[page.cell];
		item.append(element("i", "", kind), `0x${page.pfn.toString(16)} ${kind}` +
			(page.file ? `, page ${page.index} of ${page.file}` : "") +
			(page.holders ? `: ${page.holders}` : ""));
		return item;
	}), "nobody holds or maps a page");
	fill("waits", data.waits.map(w => element("li", `${w.name} waits for ${w.what}; woken by ${w.waker}`)),
		"nobody waits for a page");
}

function drawStep(step) {
	const item = element("li");
	item.append(element("b", step.who), ` ${step.text}`);
	$("steps").append(item);
	item.scrollIntoView({block: "nearest"});
}

function drawState(now) {
	state = now;
	say(now.over ? "the machine is off" : !now.ready ? "the machine boots"
		: now.stopped ? (now.waiting ? "before the next step, and all stands still" : "all stands still")
		: now.waiting ? "a step of the race" : "the machine runs");
	$("pause").textContent = now.stopped ? "run" : "pause";
	document.querySelectorAll("button").forEach(b => { b.disabled = now.over || !now.ready; });
}

function drawLine(text) {
	const shell = $("shell"), low = shell.scrollTop + shell.clientHeight > shell.scrollHeight - 40;
	shell.append(text + "\n");
	while (shell.childNodes.length > 400) shell.firstChild.remove();
	if (low) shell.scrollTop = shell.scrollHeight;
}

// ---- what is pressed

for (const [id, names] of [["race", facts.races], ["lifetime", facts.lifetimes]])
	$(id).append(...names.map(name => { const o = element("option", name); o.value = name; return o; }));
$("lifetime").value = facts.lifetimes.includes("idle-at-one") ? "idle-at-one" : facts.lifetimes[0];
function start(hand) {
	$("steps").replaceChildren();
	press({do: "race", race: $("race").value, lifetime: $("lifetime").value, hand});
}
$("start").onclick = () => start(false);
$("step").onclick = () => state.waiting ? press({do: "step"}) : start(true);
$("play").onclick = () => press({do: "play"});
$("pause").onclick = () => press({do: state.stopped ? "cont" : "stop"});
$("pace").onchange = () => press({do: "pace", seconds: Number($("pace").value)});
$("form").onsubmit = event => {
	event.preventDefault();
	press({do: "type", line: $("line").value});
	$("line").value = "";
};
$("map").onclick = event => {
	if (event.target.dataset.pfn) press({do: "type", line: "page 0x" + Number(event.target.dataset.pfn).toString(16)});
};
document.onkeydown = event => {
	if (["INPUT", "SELECT", "BUTTON"].includes(event.target.tagName) || event.ctrlKey || event.metaKey || event.altKey) return;
	const button = {" ": "pause", "n": "step", "g": "play"}[event.key];
	if (button) { event.preventDefault(); $(button).click(); }
};

// A new connection gets everything once more.
const events = new EventSource("/events");
events.onopen = () => { $("steps").replaceChildren(); $("shell").replaceChildren(); };
events.onerror = () => say("the machine is gone");
for (const [kind, draw] of [["pages", drawPages], ["step", drawStep], ["state", drawState], ["line", drawLine]])
	events.addEventListener(kind, event => draw(JSON.parse(event.data)));
