// SPDX-License-Identifier: MIT
"use strict";
(() => {
	const rows = [...document.querySelectorAll("tr.step")];
	const panes = [...document.querySelectorAll("section.detail")];
	let chosen = -1;

	/* One step is chosen at any time: its row has the focus, its pane is the one that shows. */
	function choose(at, focus) {
		at = Math.max(0, Math.min(rows.length - 1, at));
		if (at !== chosen) {
			rows.forEach((row, n) => {
				row.classList.toggle("chosen", n === at);
				row.tabIndex = n === at ? 0 : -1;
			});
			panes.forEach((pane, n) => { pane.hidden = n !== at; });
			chosen = at;
		}
		if (focus)
			rows[at].focus({ preventScroll: true });
		rows[at].scrollIntoView({ block: "nearest" });
	}

	/* The next forced change of thread in a direction; where there is none, the step stays. */
	function forced(direction) {
		for (let at = chosen + direction; rows[at]; at += direction)
			if (rows[at].classList.contains("preempts"))
				return at;
		return chosen;
	}

	function theme() {
		const dark = getComputedStyle(document.documentElement).colorScheme === "dark" ||
			(!document.documentElement.dataset.theme &&
			 matchMedia("(prefers-color-scheme: dark)").matches);

		document.documentElement.dataset.theme = dark ? "light" : "dark";
	}

	const keys = {
		ArrowDown: () => choose(chosen + 1, true), j: () => choose(chosen + 1, true),
		ArrowUp: () => choose(chosen - 1, true), k: () => choose(chosen - 1, true),
		n: () => choose(forced(1), true), p: () => choose(forced(-1), true),
		Home: () => choose(0, true), End: () => choose(rows.length - 1, true),
		g: () => choose(rows.length - 1, true), t: theme,
	};
	document.addEventListener("keydown", (event) => {
		if (event.ctrlKey || event.altKey || event.metaKey || !keys[event.key])
			return;
		event.preventDefault();
		keys[event.key]();
	});
	rows.forEach((row, at) => row.addEventListener("click", () => choose(at, true)));
	document.getElementById("theme").addEventListener("click", theme);
	const named = rows.findIndex((row) => "#" + row.id === location.hash);
	choose(named < 0 ? rows.length - 1 : named, false);
})();
