// @ts-check
// The charts of a page: one window for all, in the address; a brush asks what moved; chips jump here.
import { page, remember } from "./act.js";
import { TimeChart } from "./chart.js";

/** @type {Map<HTMLElement, TimeChart>} */
const charts = new Map();

/** @returns {[string, string] | null} */
function window_() {
  const query = new URLSearchParams(location.search);
  const [from, to] = [query.get("from"), query.get("to")];
  return from && to ? [from, to] : null;
}

/** @param {HTMLElement} figure */
async function load(figure) {
  const address = new URL(figure.dataset.chart ?? "", location.href);
  const shown = window_();
  if (shown) {
    address.searchParams.set("from", shown[0]);
    address.searchParams.set("to", shown[1]);
  }
  const answer = await fetch(address).catch(() => null);
  const body = await answer?.json().catch(() => null);
  if (!answer?.ok || !body || !body.y.length) return;
  const t = body.y.map((/** @type {unknown} */ _, /** @type {number} */ i) => body.start + i * body.step);
  const series = { ...body, t };
  const known = charts.get(figure);
  if (known) return known.set(series);
  const host = figure.querySelector(".plot");
  if (!(host instanceof HTMLElement)) return;
  const mini = figure.hasAttribute("data-mini");
  charts.set(figure, new TimeChart(host, series, { mini, onBrush: asked, onReset: widen }));
}

/** @returns {HTMLElement[]} */
const figures = () => [...document.querySelectorAll("[data-chart]")].map((one) => /** @type {HTMLElement} */ (one));

function loadAll() {
  for (const [figure, chart] of charts) {
    if (figure.isConnected) continue;
    chart.destroy();
    charts.delete(figure);
  }
  figures().forEach((figure) => (charts.has(figure) ? load(figure) : seen.observe(figure)));
  movers();
}

// What nobody scrolls to is never fetched.
const seen = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      seen.unobserve(entry.target);
      load(/** @type {HTMLElement} */ (entry.target));
    }
  },
  { rootMargin: "200px" },
);

/**
 * @param {number} from
 * @param {number} to
 */
function asked(from, to) {
  remember({ from, to });
  loadAll();
}

function widen() {
  if (!window_()) return;
  remember({ from: "", to: "" });
  loadAll();
}

async function movers() {
  const host = document.getElementById("movers");
  if (!host) return;
  const shown = window_();
  const [from, to] = shown ?? [host.dataset.from ?? "", host.dataset.to ?? ""];
  if (host.dataset.shown === `${from}-${to}`) return;
  host.dataset.shown = `${from}-${to}`;
  const fresh = await page(`/fragments/movers?from=${from}&to=${to}&but=${host.dataset.but ?? ""}`);
  if (fresh) host.replaceChildren(...fresh.body.children);
}

/** @param {string} id */
async function jump(id) {
  const row = document.getElementById(id);
  if (!row) return;
  row.closest("details")?.setAttribute("open", "");
  row.scrollIntoView({ block: "center" });
  const { series, from, to } = row.dataset;
  const figure = figures().find((one) => one.dataset.series === series);
  if (!figure || !from || !to) return;
  figure.scrollIntoView({ block: "center" });
  if (!charts.has(figure)) await load(figure);
  charts.get(figure)?.highlight(Number(from), Number(to), id);
}

/** @param {MouseEvent} event */
function clicked(event) {
  const at = /** @type {Element} */ (event.target);
  const chip = at.closest('a[href^="#E"]');
  if (chip) {
    event.preventDefault();
    const id = chip.getAttribute("href")?.slice(1) ?? "";
    history.replaceState(null, "", `#${id}`);
    jump(id);
  }
  const toggle = at.closest("[data-without]");
  if (toggle instanceof HTMLInputElement) {
    const figure = document.getElementById(toggle.dataset.without ?? "");
    const address = new URL(figure?.dataset.chart ?? "", location.href);
    address.searchParams.set("without", toggle.value);
    if (!figure) return;
    figure.dataset.chart = address.pathname + address.search;
    load(figure);
  }
}

/** Draw what is there and follow the reader. */
export function start() {
  document.addEventListener("refreshed", loadAll);
  document.addEventListener("click", clicked);
  document.addEventListener("keydown", (event) => event.key === "Escape" && widen());
  addEventListener("popstate", loadAll);
  loadAll();
  if (location.hash.startsWith("#E")) jump(location.hash.slice(1));
}
