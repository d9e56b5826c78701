// @ts-check
// A diagnosis under way: its six steps as they are taken, from the stored log; then the finished page.
import { refresh } from "./live.js";

const EVENTS = ["step.started", "step.finished", "tool.finished", "hypothesis.scored", "run.finished", "error"];

/**
 * The line of one step; it is made once, so that a replay never shows fewer steps.
 * @param {HTMLElement} list
 * @param {{id: number | string, title?: string, stage?: string}} step
 */
function line(list, step) {
  let row = /** @type {HTMLElement | null} */ (list.querySelector(`[data-step="${CSS.escape(String(step.id))}"]`));
  if (row) return row;
  row = document.createElement("li");
  row.dataset.step = String(step.id);
  row.className = "step";
  const title = document.createElement("strong");
  title.textContent = (step.title ?? step.stage ?? "step").replaceAll("_", " ");
  const state = Object.assign(document.createElement("span"), { className: "muted" });
  const text = document.createElement("p");
  row.append(title, " ", state, text);
  list.append(row);
  return row;
}

/**
 * @param {HTMLElement} list
 * @param {string} event
 * @param {any} data
 */
export function apply(list, event, data) {
  if (event === "step.started") {
    const row = line(list, data);
    row.dataset.state ||= "running";
    const state = row.querySelector(".muted");
    if (state && !state.textContent) state.textContent = "running";
  } else if (event === "step.finished") {
    const row = line(list, data);
    row.dataset.state = "done";
    const [state, text] = [row.querySelector(".muted"), row.querySelector("p")];
    if (state) state.textContent = `${Math.round(data.ms ?? 0)} ms`;
    if (text) text.textContent = data.summary ?? "";
  }
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
