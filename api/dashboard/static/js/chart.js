// @ts-check
// A time series on a canvas: line, expected band, regions, marks, ribbons of votes, brush, cursor.
// It does not stack, smooth, animate or compute statistics: what it draws, the server has counted.
import { paintOver } from "./overlay.js";
import { paint } from "./paint.js";
import { colours, described, nearest } from "./scale.js";

/**
 * @typedef {{id: string, from: number, to: number, peak?: number, severity: string, label: string}} Region
 * @typedef {{t: number, label: string, kind: string}} Mark
 * @typedef {{name: string, from: number, to: number}} Vote
 * @typedef {{title: string, unit: string, t: number[], y: (number | null)[], lo?: (number | null)[] | null,
 *   hi?: (number | null)[] | null, alt?: (number | null)[] | null, candles?: (number | null)[][],
 *   regions: Region[], marks: Mark[], votes: Vote[]}} Series
 * @typedef {{group?: string, mini?: boolean, onZoom?: (from: number, to: number) => void,
 *   onBrush?: (from: number, to: number) => void, onReset?: () => void}} Options
 */

/** @type {Map<string, Set<TimeChart>>} */
const groups = new Map();
const MIN_BRUSH_PX = 6;
const HIGHLIGHT_MS = 2000;

export class TimeChart {
  /**
   * @param {HTMLElement} host
   * @param {Series} series
   * @param {Options} [options]
   */
  constructor(host, series, options = {}) {
    this.host = host;
    this.series = series;
    this.options = options;
    /** @type {[number, number] | null} */
    this.view = null;
    /** @type {{from: number, to: number} | null} */
    this.lit = null;
    /** @type {number | null} */
    this.cursor = null;
    /** @type {{left: number, top: number, width: number, height: number} | null} */
    this.plot = null;
    /** @type {[number, number] | null} */
    this.brush = null;
    this.frame = 0;
    this.canvas = document.createElement("canvas");
    this.over = Object.assign(document.createElement("canvas"), { className: "over" });
    this.tip = Object.assign(document.createElement("div"), { className: "tip", hidden: true });
    host.classList.add("timechart");
    host.tabIndex = 0;
    host.setAttribute("role", "img");
    host.replaceChildren(this.canvas, this.over, this.tip);
    this.ink = colours(host);
    this.abort = new AbortController();
    this.resized = new ResizeObserver(() => this.draw());
    this.resized.observe(host);
    this.listen();
    const group = options.group ?? "page";
    this.peers = groups.get(group) ?? new Set();
    groups.set(group, this.peers.add(this));
    this.set(series);
  }

  listen() {
    const signal = this.abort.signal;
    const on = (/** @type {string} */ name, /** @type {(event: any) => void} */ act) =>
      this.host.addEventListener(name, act, { signal });
    on("pointerdown", (event) => this.pressed(event));
    on("pointermove", (event) => this.moved(event));
    on("pointerup", () => this.released());
    on("pointerleave", () => this.brush || this.share(null));
    on("dblclick", () => this.options.onReset?.());
    on("blur", () => this.share(null));
    on("keydown", (event) => this.key(event));
    document.addEventListener("themed", () => this.repaint(), { signal });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.repaint(), { signal });
  }

  /** @param {Series} series */
  set(series) {
    this.series = series;
    this.host.setAttribute("aria-label", described(series, this.from, this.to));
    this.draw();
  }

  get from() {
    return this.view?.[0] ?? this.series.t[0] ?? 0;
  }

  get to() {
    return this.view?.[1] ?? this.series.t[this.series.t.length - 1] ?? 1;
  }

  /**
   * Show a stretch only.
   * @param {number} from
   * @param {number} to
   */
  zoom(from, to) {
    this.view = [from, to];
    this.draw();
    this.options.onZoom?.(from, to);
  }

  reset() {
    this.view = null;
    this.draw();
  }

  /**
   * Frame a stretch for two seconds.
   * @param {number} from
   * @param {number} to
   * @param {string} label
   */
  highlight(from, to, label) {
    this.lit = { from, to };
    this.host.dataset.lit = label;
    this.overlay();
    setTimeout(() => {
      this.lit = null;
      delete this.host.dataset.lit;
      this.overlay();
    }, HIGHLIGHT_MS);
  }

  destroy() {
    this.abort.abort();
    this.resized.disconnect();
    this.peers.delete(this);
    this.host.replaceChildren();
  }

  draw() {
    if (this.host.clientWidth) paint(this);
    this.overlay();
  }

  repaint() {
    this.ink = colours(this.host);
    this.draw();
  }

  overlay() {
    // Moves come faster than frames: the overlay is drawn once per frame, the chart below not at all.
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => paintOver(this));
  }

  /** @param {number} x */
  timeAt(x) {
    const { left, width } = this.plot ?? { left: 0, width: 1 };
    return this.from + (Math.min(Math.max(x - left, 0), width) / width) * (this.to - this.from);
  }

  /** @param {PointerEvent} event */
  pressed(event) {
    if (event.button || !this.options.onBrush || event.pointerType === "touch") return;
    this.host.setPointerCapture(event.pointerId);
    this.brush = [event.offsetX, event.offsetX];
  }

  /** @param {PointerEvent} event */
  moved(event) {
    const x = event.clientX - this.host.getBoundingClientRect().left;
    if (this.brush) this.brush[1] = x;
    this.share(this.timeAt(x));
  }

  released() {
    const [a, b] = this.brush ?? [0, 0];
    this.brush = null;
    if (Math.abs(a - b) >= MIN_BRUSH_PX) {
      this.options.onBrush?.(Math.round(this.timeAt(Math.min(a, b))), Math.round(this.timeAt(Math.max(a, b))));
    }
    this.overlay();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const { t } = this.series;
    const at = this.cursor === null ? nearest(t, step < 0 ? this.to : this.from) : nearest(t, this.cursor) + step;
    this.share(t[Math.min(Math.max(at, 0), t.length - 1)] ?? null);
    this.tip.setAttribute("role", "status");
  }

  /**
   * Put the cursor of all charts of the group at one time.
   * @param {number | null} time
   */
  share(time) {
    for (const chart of this.peers) {
      chart.cursor = time;
      chart.overlay();
    }
  }
}
