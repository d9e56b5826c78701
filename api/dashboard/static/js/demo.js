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
  const known = before?.items[0]?.id ?? "";
  document.getElementById("progress")?.replaceChildren();
  const started = await call("POST", "/demo/incidents", { kind: button.dataset.inject });
  if (!started) return;
  say(`${button.textContent?.trim()} begins at ${started.starts_at.slice(11, 16)} UTC; waiting for the detectors.`);
  const ended = performance.now() + PATIENCE_MS;
  const look = async () => {
    if (performance.now() > ended) return toast("Nothing was found yet; the overview will show it.");
    const cycle = await call("POST", "/cycles");
    if (cycle) say(`Cycle ${cycle.id}: ${cycle.series} series, ${cycle.anomalies} anomalies.`);
    const found = await call("GET", `/diagnoses?limit=20&start=${encodeURIComponent(started.starts_at)}`);
    const fresh = found?.items.find((/** @type {any} */ one) => one.id !== known && one.end_time > started.starts_at);
    if (fresh) return location.assign(`/diagnoses/${fresh.id}`);
    setTimeout(look, 1500);
  };
  look();
}

/** Begin to listen. */
export function start() {
  document.addEventListener("click", (event) => {
    const button = /** @type {Element} */ (event.target).closest("[data-inject]");
    if (button instanceof HTMLButtonElement) inject(button);
  });
}
