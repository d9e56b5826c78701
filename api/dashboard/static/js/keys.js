// @ts-check
// Single-key verbs: move, open, judge, go. The selection lives in the address.
import { call, changeIncident, copyMarkdown, judge, toast } from "./act.js";

const PLACES = { o: "/", m: "/explore", c: "/chat", i: "/history", p: "/performance", s: "/status" };
const SNOOZE_MS = 3_600_000;
let going = false;

/** @returns {HTMLElement[]} */
const rows = () => [...document.querySelectorAll("[data-row]")].map((one) => /** @type {HTMLElement} */ (one));
const selected = () => new URLSearchParams(location.search).get("sel");

/** What a verb is about: the selected row, or the page's own object. */
function subject() {
  const row = rows().find((one) => one.dataset.row === selected());
  return (row ?? document.getElementById("main"))?.dataset ?? {};
}

/** Mark the selected row and show its preview. */
export async function reflect() {
  const id = selected();
  for (const row of rows()) {
    const on = row.dataset.row === id;
    row.classList.toggle("selected", on);
    const link = row.querySelector("a");
    if (on) link?.setAttribute("aria-current", "true");
    else link?.removeAttribute("aria-current");
    if (on) row.scrollIntoView({ block: "nearest" });
  }
  const pane = document.getElementById("preview");
  if (!pane || pane.dataset.of === (id ?? "")) return;
  pane.dataset.of = id ?? "";
  if (!id) return pane.replaceChildren();
  const answer = await fetch(`/fragments/incidents/${encodeURIComponent(id)}`).catch(() => null);
  if (!answer?.ok || pane.dataset.of !== id) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  pane.replaceChildren(...[...fresh.body.children].map((one) => document.adoptNode(one)));
}

/** @param {number} step */
function move(step) {
  const all = rows();
  if (!all.length) return;
  const at = all.findIndex((one) => one.dataset.row === selected());
  const next = all[at < 0 ? 0 : Math.min(Math.max(at + step, 0), all.length - 1)];
  const address = new URL(location.href);
  address.searchParams.set("sel", next?.dataset.row ?? "");
  history.pushState(null, "", address);
  reflect();
}

/** @param {boolean} right */
function verdict(right) {
  const { diagnosis, anomaly } = subject();
  const onDiagnosis = document.getElementById("main")?.dataset.kind === "diagnosis";
  if (onDiagnosis && diagnosis && !right) return document.getElementById("actual-cause")?.focus();
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

function back() {
  const help = /** @type {HTMLDialogElement | null} */ (document.getElementById("help"));
  if (help?.open) return help.close();
  if (selected()) {
    const address = new URL(location.href);
    address.searchParams.delete("sel");
    history.pushState(null, "", address);
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
  "/": () => {
    const about = subject();
    location.assign(`/chat?about=${about.diagnosis || about.anomaly || about.incident || ""}`);
  },
  t: theme,
  "?": () => /** @type {HTMLDialogElement | null} */ (document.getElementById("help"))?.showModal(),
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
  const verb = VERBS[event.key];
  if (!verb) return;
  event.preventDefault();
  verb();
}

/** @param {MouseEvent} event */
function clicked(event) {
  const button = /** @type {Element} */ (event.target).closest("[data-key]");
  if (button instanceof HTMLElement) VERBS[button.dataset.key ?? ""]?.();
}

/** Begin to listen. */
export function start() {
  document.addEventListener("keydown", pressed);
  document.addEventListener("click", clicked);
  addEventListener("popstate", reflect);
  document.addEventListener("refreshed", reflect);
  reflect();
}
