// @ts-check
// The demo's buttons: inject an incident, watch the cycle, land on its diagnosis.
import { call, toast } from "./act.js";

const PATIENCE_MS = 180_000;

/** @param {string} text */
function say(text) {
  const row = document.createElement("li");
  row.textContent = text;
  document.getElementById("progress")?.append(row);
}

/** @param {HTMLButtonElement} button */
async function inject(button) {
  const before = await call("GET", "/diagnoses?limit=1");
  const started = await call("POST", "/demo/incidents", { kind: button.dataset.inject });
  if (!started) return;
  const since = started.starts_at;
  document.getElementById("progress")?.replaceChildren();
  say(`${button.textContent?.trim()} begins at ${since.slice(11, 16)} UTC; waiting for the detectors.`);
  const ended = performance.now() + PATIENCE_MS;
  while (performance.now() < ended) {
    const cycle = await call("POST", "/cycles");
    if (cycle) say(`Cycle ${cycle.id}: ${cycle.series} series, ${cycle.anomalies} anomalies.`);
    const found = await call("GET", `/diagnoses?limit=20&start=${encodeURIComponent(since)}`);
    const fresh = found?.items.find((/** @type {any} */ one) => one.id !== before?.items[0]?.id && one.end_time > since);
    if (fresh) return location.assign(`/diagnoses/${fresh.id}`);
    await new Promise((go) => setTimeout(go, 1500));
  }
  toast("Nothing was found yet; the overview will show it.");
}

/** Begin to listen. */
export function start() {
  document.addEventListener("click", (event) => {
    const button = /** @type {Element} */ (event.target).closest("[data-inject]");
    if (button instanceof HTMLButtonElement) inject(button);
  });
}
