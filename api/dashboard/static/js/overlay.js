// @ts-check
// What lies over a chart and changes with every move: cursor, brush and highlight.
import { nearest, reading } from "./scale.js";

/** @typedef {import("./paint.js").Chart} Chart */

/**
 * @param {HTMLCanvasElement} canvas
 * @param {HTMLElement} host
 */
export function surface(canvas, host) {
  const ratio = devicePixelRatio || 1;
  const [width, height] = [host.clientWidth, host.clientHeight];
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  pen.scale(ratio, ratio);
  return pen;
}

/** @param {Chart} chart */
export function paintOver(chart) {
  const { host, plot, ink } = chart;
  if (!plot || !host.clientWidth) return;
  const pen = surface(chart.over, host);
  const span = chart.to - chart.from || 1;
  const x = (/** @type {number} */ t) => plot.left + ((t - chart.from) / span) * plot.width;
  if (chart.lit) {
    pen.strokeStyle = ink.accent ?? "";
    pen.lineWidth = 2;
    const width = Math.max(x(chart.lit.to) - x(chart.lit.from), 6);
    pen.strokeRect(x(chart.lit.from), plot.top, width, plot.height);
  }
  if (chart.brush) {
    pen.globalAlpha = 0.18;
    pen.fillStyle = ink.accent ?? "";
    pen.fillRect(Math.min(...chart.brush), plot.top, Math.abs(chart.brush[1] - chart.brush[0]), plot.height);
    pen.globalAlpha = 1;
  }
  chart.tip.hidden = chart.cursor === null;
  if (chart.cursor === null) return;
  const { t } = chart.series;
  const at = x(t[nearest(t, chart.cursor)] ?? 0);
  pen.strokeStyle = ink.text ?? "";
  pen.beginPath();
  pen.moveTo(at, plot.top);
  pen.lineTo(at, plot.top + plot.height);
  pen.stroke();
  const words = reading(chart.series, chart.cursor);
  if (chart.tip.textContent !== words) chart.tip.textContent = words;
  chart.tip.style.left = `${Math.min(Math.max(at - chart.tip.offsetWidth / 2, 0), host.clientWidth - chart.tip.offsetWidth)}px`;
}
