// @ts-check
// The strokes of a chart.
import { surface } from "./overlay.js";
import { bounds, clock, nearest, number, ticks, timeTicks } from "./scale.js";

/** @typedef {import("./chart.js").TimeChart} Chart */

const LEFT = 64;
const TOP = 8;
const BOTTOM = 22;
const RIBBON = 7;
const DAY_S = 86_400;

/** @param {Chart} chart */
export function paint(chart) {
  const { host, series, ink } = chart;
  const pen = surface(chart.canvas, host);
  const mini = chart.options.mini ?? false;
  const votes = mini ? [] : [...new Set(series.votes.map((one) => one.name))];
  const left = mini ? 2 : LEFT;
  const below = mini ? 2 : BOTTOM + votes.length * RIBBON;
  const plot = { left, top: mini ? 2 : TOP, width: host.clientWidth - left - 4, height: host.clientHeight - below - TOP };
  chart.plot = plot;
  const span = chart.to - chart.from || 1;
  const first = Math.max(0, nearest(series.t, chart.from) - 1);
  const last = Math.min(series.t.length, nearest(series.t, chart.to) + 2);
  const [low, high] = bounds([series.y, series.lo, series.hi, series.alt, ...(series.candles ?? [])], first, last);
  const x = (/** @type {number} */ t) => plot.left + ((t - chart.from) / span) * plot.width;
  const y = (/** @type {number} */ v) => plot.top + ((high - v) / (high - low)) * plot.height;
  if (!mini) axes(pen, chart, plot, { x, y, low, high, votes: votes.length });
  pen.save();
  pen.beginPath();
  pen.rect(plot.left, 0, plot.width, host.clientHeight - (mini ? 0 : BOTTOM - 2));
  pen.clip();
  band(pen, series, [first, last], x, y, ink.ok ?? "");
  for (const region of series.regions) {
    pen.globalAlpha = 0.22;
    pen.fillStyle = ink[region.severity] ?? "";
    const width = Math.max(x(region.to) - x(region.from), 2);
    pen.fillRect(x(region.from), plot.top, width, plot.height);
  }
  pen.globalAlpha = 1;
  if (series.alt) line(pen, series.t, series.alt, [first, last], x, y, ink.muted ?? "", [5, 4]);
  if (series.candles) candles(pen, series, [first, last], x, y, ink);
  else line(pen, series.t, series.y, [first, last], x, y, ink.accent ?? "");
  for (const mark of mini ? [] : series.marks) flag(pen, x(mark.t), plot, mark.kind, ink);
  for (const vote of mini ? [] : series.votes) {
    const row = plot.top + plot.height + 2 + votes.indexOf(vote.name) * RIBBON;
    pen.fillStyle = ink.high ?? "";
    pen.fillRect(x(vote.from), row, Math.max(x(vote.to) - x(vote.from), 2), RIBBON - 2);
  }
  pen.restore();
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {Chart} chart
 * @param {{left: number, top: number, width: number, height: number}} plot
 * @param {{x: (t: number) => number, y: (v: number) => number, low: number, high: number, votes: number}} at
 */
function axes(pen, chart, plot, at) {
  pen.font = "11px system-ui, sans-serif";
  pen.fillStyle = chart.ink.muted ?? "";
  pen.strokeStyle = chart.ink.line ?? "";
  pen.lineWidth = 1;
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  for (const value of ticks(at.low, at.high)) {
    const y = Math.round(at.y(value)) + 0.5;
    pen.beginPath();
    pen.moveTo(plot.left, y);
    pen.lineTo(plot.left + plot.width, y);
    pen.stroke();
    pen.fillText(number(value), plot.left - 6, y);
  }
  pen.textAlign = "center";
  pen.textBaseline = "bottom";
  const dated = chart.to - chart.from > 2 * DAY_S;
  for (const t of timeTicks(chart.from, chart.to, Math.max(2, Math.floor(plot.width / 110)))) {
    const x = Math.min(at.x(t), plot.left + plot.width - 16);
    pen.fillText(clock(t, dated), x, chart.host.clientHeight - 3);
  }
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {import("./chart.js").Series} series
 * @param {[number, number]} range
 * @param {(t: number) => number} x
 * @param {(v: number) => number} y
 * @param {string} colour
 */
function band(pen, series, range, x, y, colour) {
  const { t, lo, hi } = series;
  if (!lo || !hi) return;
  const half = ((t[1] ?? 1) - (t[0] ?? 0)) / 2;
  pen.fillStyle = colour;
  pen.globalAlpha = 0.2;
  const to = (/** @type {number} */ j, /** @type {(number | null)[]} */ edge, by = 0) =>
    pen.lineTo(x((t[j] ?? 0) + by), y(edge[j] ?? 0));
  for (let i = range[0]; i < range[1]; i += 1) {
    if (typeof lo[i] !== "number") continue;
    const from = i;
    while (i + 1 < range[1] && typeof lo[i + 1] === "number") i += 1;
    pen.beginPath();
    to(from, hi, -half);
    for (let j = from; j <= i; j += 1) to(j, hi);
    to(i, hi, half);
    to(i, lo, half);
    for (let j = i; j >= from; j -= 1) to(j, lo);
    to(from, lo, -half);
    pen.fill();
  }
  pen.globalAlpha = 1;
}

/**
 * Open, high and low of each interval around its last value.
 * @param {CanvasRenderingContext2D} pen
 * @param {import("./chart.js").Series} series
 * @param {[number, number]} range
 * @param {(t: number) => number} x
 * @param {(v: number) => number} y
 * @param {Record<string, string>} ink
 */
function candles(pen, { t, y: close, candles: columns }, [from, to], x, y, ink) {
  const width = Math.max(1, (x(t[1] ?? 0) - x(t[0] ?? 0)) * 0.6);
  for (let i = from; i < to; i += 1) {
    const [open, high, low, end] = [...(columns ?? []), close].map((one) => y(one[i] ?? NaN));
    const at = x(t[i] ?? 0);
    if (!open || !high || !low || !end) continue;
    pen.fillStyle = ink[end < open ? "ok" : "critical"] ?? "";
    pen.fillRect(at - 0.5, high, 1, low - high);
    pen.fillRect(at - width / 2, Math.min(open, end), width, Math.max(1, Math.abs(open - end)));
  }
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {number[]} t
 * @param {(number | null)[]} values
 * @param {[number, number]} range
 * @param {(t: number) => number} x
 * @param {(v: number) => number} y
 * @param {string} colour
 * @param {number[]} [dash]
 */
function line(pen, t, values, range, x, y, colour, dash = []) {
  pen.strokeStyle = colour;
  pen.lineWidth = 1.5;
  pen.setLineDash(dash);
  pen.beginPath();
  let down = false;
  for (let i = range[0]; i < range[1]; i += 1) {
    const value = values[i] ?? null;
    if (value !== null) pen[down ? "lineTo" : "moveTo"](x(t[i] ?? 0), y(value));
    down = value !== null;
  }
  pen.stroke();
  pen.setLineDash([]);
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {number} x
 * @param {{top: number, height: number}} plot
 * @param {string} kind
 * @param {Record<string, string>} ink
 */
function flag(pen, x, plot, kind, ink) {
  pen.strokeStyle = ink.line ?? "";
  pen.setLineDash([2, 3]);
  pen.beginPath();
  pen.moveTo(x, plot.top);
  pen.lineTo(x, plot.top + plot.height);
  pen.stroke();
  pen.setLineDash([]);
  pen.fillStyle = ink.text ?? "";
  pen.textAlign = "center";
  pen.textBaseline = "bottom";
  pen.fillText({ deploy: "▲", news: "●" }[kind] ?? "◆", x, plot.top + plot.height);
}
