// @ts-check
// Single-key verbs: move, open, judge, go. The selection lives in the address.
import { call, changeIncident, copyMarkdown, judge, page, remember, toast } from "./act.js";
import { toggle } from "./live.js";

const PLACES = { o: "/", m: "/explore", c: "/chat", i: "/history", p: "/performance", s: "/status" };
const SNOOZE_MS = 3_600_000;
let going = false;
/** @type {HTMLElement | null} */
let pointed = null;
const byId = (/** @type {string} */ id) => document.getElementById(id);

/** @returns {HTMLElement[]} */
const rows = () => [...document.querySelectorAll("[data-row]")].map((one) => /** @type {HTMLElement} */ (one));
const selected = () => new URLSearchParams(location.search).get("sel");

/** What a verb is about: the row of a button, the selected row, or the page's own object. */
function subject() {
  const row = pointed ?? rows().find((one) => one.dataset.row === selected());
  return (row ?? byId("main"))?.dataset ?? {};
}

/** Mark the selected row and show its preview, or that of the first one. */
async function reflect() {
  const id = selected();
  for (const row of rows()) {
    const on = row.dataset.row === id;
    row.classList.toggle("selected", on);
    const link = row.querySelector("a");
    if (on) link?.setAttribute("aria-current", "true");
    else link?.removeAttribute("aria-current");
    if (on) row.scrollIntoView({ block: "nearest" });
  }
  const pane = byId("preview");
  const shown = id ?? rows()[0]?.dataset.row ?? "";
  if (!pane || pane.dataset.of === shown) return;
  pane.dataset.of = shown;
  const fresh = await page(`/fragments/incidents/${encodeURIComponent(shown)}`);
  if (fresh && pane.dataset.of === shown) pane.replaceChildren(...fresh.body.children);
}

/** @param {number} step */
function move(step) {
  const all = rows();
  if (!all.length) return;
  const at = all.findIndex((one) => one.dataset.row === selected());
  const next = all[at < 0 ? 0 : Math.min(Math.max(at + step, 0), all.length - 1)];
  remember({ sel: next?.dataset.row ?? "" });
  reflect();
}

/** @param {boolean} right */
function verdict(right) {
  const { diagnosis, anomaly } = subject();
  const onDiagnosis = byId("main")?.dataset.kind === "diagnosis";
  if (onDiagnosis && diagnosis && !right) {
    byId("wrong")?.setAttribute("open", "");
    return byId("wrong")?.querySelector("button")?.focus();
  }
  if (onDiagnosis && diagnosis) return judge("diagnoses", diagnosis, right);
  if (anomaly) judge("anomalies", anomaly, right);
}

async function diagnose() {
  const { anomaly } = subject();
  if (!anomaly) return toast("Select an incident first (j, k).");
  const started = await call("POST", "/diagnoses", { anomaly_id: anomaly });
  if (started) location.assign(`/diagnoses/${started.id}`);
}

function theme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
  document.dispatchEvent(new CustomEvent("themed"));
}

/** The chat, pinned to what is looked at, beside the page. */
async function ask() {
  if (!byId("question")) {
    const { diagnosis, anomaly, incident } = subject();
    const about = diagnosis || anomaly || incident || "";
    const found = (await page(`/chat?about=${about}&${location.search.slice(1)}`))?.getElementById("chat");
    if (found) byId("drawer")?.replaceChildren(found);
    document.dispatchEvent(new CustomEvent("refreshed"));
  }
  byId("question")?.focus();
}

function back() {
  const help = /** @type {HTMLDialogElement | null} */ (byId("help"));
  if (help?.open) return help.close();
  if (byId("drawer")?.firstChild) return byId("drawer")?.replaceChildren();
  if (selected()) {
    remember({ sel: "" });
    reflect();
  }
}

/** @type {Record<string, () => unknown>} */
const VERBS = {
  j: () => move(1),
  k: () => move(-1),
  Enter: () => selected() && location.assign(`/incidents/${selected()}`),
  a: () => {
    const { incident } = subject();
    if (incident) changeIncident(incident, { status: "acknowledged" }, "acknowledged");
  },
  h: () => {
    const { incident } = subject();
    const now = Date.parse(document.querySelector("#pulse time")?.getAttribute("datetime") ?? "");
    const until = new Date(now + SNOOZE_MS).toISOString();
    if (incident) changeIncident(incident, { snoozed_until: until }, "snoozed for an hour");
  },
  y: () => verdict(true),
  n: () => verdict(false),
  d: diagnose,
  c: () => {
    const { kind, incident } = subject();
    copyMarkdown(kind && kind !== "incident" ? location.pathname : `/incidents/${incident}`);
  },
  f: () => /** @type {HTMLElement | null} */ (document.querySelector("[data-filter]"))?.focus(),
  "/": ask,
  t: theme,
  b: toggle,
  "?": () => /** @type {HTMLDialogElement | null} */ (byId("help"))?.showModal(),
  Escape: back,
};

/** @param {KeyboardEvent} event */
function pressed(event) {
  const at = /** @type {HTMLElement} */ (event.target);
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (at.matches("input, textarea, select")) {
    if (event.key === "Escape") at.blur();
    return;
  }
  if (event.key === "Enter" && at.matches("a, button, summary, [data-chart]")) return;
  const place = PLACES[/** @type {keyof typeof PLACES} */ (event.key)];
  if (going && place) return location.assign(place);
  going = event.key === "g";
  // A digit names the true cause of what was wrong.
  const causes = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("#wrong[open] button"));
  causes[Number(event.key) - 1]?.click();
  const verb = VERBS[event.key];
  if (!verb) return;
  event.preventDefault();
  verb();
}

/** @param {MouseEvent} event */
function clicked(event) {
  const button = /** @type {Element} */ (event.target).closest("[data-key]");
  if (!(button instanceof HTMLElement)) return;
  event.preventDefault();
  pointed = button.closest("[data-row]");
  VERBS[button.dataset.key ?? ""]?.();
  pointed = null;
}

/** Begin to listen. */
export function start() {
  document.addEventListener("keydown", pressed);
  document.addEventListener("click", clicked);
  addEventListener("popstate", reflect);
  document.addEventListener("refreshed", reflect);
  document.addEventListener("mouseover", ({ target }) => {
    if (target instanceof HTMLTimeElement) target.title = `${new Date(target.dateTime).toLocaleString()} here`;
  });
  reflect();
}
