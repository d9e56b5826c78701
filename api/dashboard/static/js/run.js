// @ts-check
// A diagnosis under way: its six steps as they are taken, from the stored log; then the finished page.
import { refresh } from "./live.js";

const EVENTS = ["step.started", "step.finished", "run.finished", "error"];

/**
 * Show one event of a step; its line is made once, so that a replay never shows fewer steps.
 * @param {HTMLElement} list
 * @param {string} event
 * @param {any} data
 */
export function apply(list, event, data) {
  if (!/^step/.test(event)) return;
  let row = /** @type {HTMLElement | null} */ (list.querySelector(`[data-step="${CSS.escape(data.id)}"]`));
  if (!row) {
    row = document.createElement("li");
    row.dataset.step = data.id;
    row.className = "step";
    row.innerHTML = "<strong></strong> <span class=muted></span><p></p>";
    list.append(row);
  }
  const done = event === "step.finished";
  if (row.dataset.state && !done) return;
  row.dataset.state = done ? "done" : "running";
  const [title, state, text] = /** @type {any} */ (row.children);
  title.textContent ||= (data.title ?? data.stage ?? "step").replaceAll("_", " ");
  state.textContent = done ? `${Math.round(data.ms ?? 0)} ms` : "running";
  text.textContent = data.summary ?? "";
}

/** Follow the run of this page. */
export function start() {
  const list = /** @type {HTMLElement | null} */ (document.querySelector("[data-run]"));
  if (!list) return;
  list.replaceChildren();
  const stream = new EventSource(`/api/v1/diagnoses/${list.dataset.run}/events`);
  for (const event of EVENTS) {
    stream.addEventListener(event, (/** @type {MessageEvent} */ one) => {
      if (one.data) apply(list, event, JSON.parse(one.data));
      if (event !== "run.finished" && !(event === "error" && one.data)) return;
      stream.close();
      document.getElementById("reasoning")?.setAttribute("data-live", "");
      refresh(true);
    });
  }
}
