// @ts-check
// What every page needs, and what this one needs on top.
import { start as keys } from "./keys.js";
import { start as live } from "./live.js";

/** @type {[string, () => Promise<{start: () => void}>][]} */
const EXTRAS = [
  ["[data-chart]", () => import("./lanes.js")],
  ["[data-run]", () => import("./run.js")],
  ["#chat", () => import("./chat.js")],
  ["[data-inject]", () => import("./demo.js")],
];
/** @type {Set<string>} */
const begun = new Set();

function extras() {
  for (const [where, load] of EXTRAS) {
    if (begun.has(where) || !document.querySelector(where)) continue;
    begun.add(where);
    load().then((extra) => extra.start());
  }
}

if (document.getElementById("live-dot")) {
  live();
  keys();
}
document.addEventListener("refreshed", extras);
extras();
