// @ts-check
// Axes: round ticks, numbers and times as a person reads them.

const TIME_STEPS = [60, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800];
const LETTERS = /** @type {[number, string][]} */ ([
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
]);

/**
 * Four significant digits, thousands as k, M, G.
 * @param {number | null | undefined} value
 */
export function number(value) {
  if (typeof value !== "number" || Number.isNaN(value)) return "—";
  const size = Math.abs(value);
  const [scale, letter] = LETTERS.find(([at]) => size >= 10 * at) ?? [1, ""];
  const digits = Number((size / scale).toPrecision(4));
  return `${value < 0 ? "−" : ""}${digits.toLocaleString("en-US", { maximumFractionDigits: 6 })}${letter}`;
}

/**
 * UTC, with the date where asked for.
 * @param {number} seconds
 * @param {boolean} [withDate]
 */
export function clock(seconds, withDate = false) {
  const iso = new Date(seconds * 1000).toISOString();
  return withDate ? `${iso.slice(5, 10)} ${iso.slice(11, 16)}` : iso.slice(11, 16);
}

/**
 * Round values that divide an interval into three to six parts.
 * @param {number} low
 * @param {number} high
 */
export function ticks(low, high) {
  const raw = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= raw * 0.999) ?? 10) * power;
  const found = [];
  for (let i = Math.ceil(low / step); i * step <= high; i += 1) found.push(Number((i * step).toPrecision(12)));
  return found;
}

/**
 * Round times in an interval.
 * @param {number} from
 * @param {number} to
 * @param {number} most
 */
export function timeTicks(from, to, most) {
  const step = TIME_STEPS.find((one) => (to - from) / one <= most) ?? 604_800;
  const found = [];
  for (let t = Math.ceil(from / step) * step; t <= to; t += step) found.push(t);
  return found;
}

/**
 * The smallest and largest of some columns between two indices, with a little air.
 * @param {((number | null)[] | null | undefined)[]} columns
 * @param {number} first
 * @param {number} last
 * @returns {[number, number]}
 */
export function bounds(columns, first, last) {
  let low = Infinity;
  let high = -Infinity;
  for (const column of columns) {
    for (let i = first; column && i < last; i += 1) {
      const value = column[i];
      if (typeof value !== "number") continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  if (low > high) return [0, 1];
  const air = low === high ? Math.abs(low) * 0.05 || 1 : (high - low) * 0.05;
  return [low - air, high + air];
}

/**
 * The index of the point nearest to a time.
 * @param {number[]} t
 * @param {number} at
 */
export function nearest(t, at) {
  let low = 0;
  let high = t.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (/** @type {number} */ (t[middle]) < at) low = middle + 1;
    else high = middle;
  }
  const before = t[low - 1];
  return before !== undefined && at - before < /** @type {number} */ (t[low]) - at ? low - 1 : low;
}

/**
 * What a chart shows, in words.
 * @param {import("./chart.js").Series} series
 * @param {number} from
 * @param {number} to
 */
export function described(series, from, to) {
  const odd = series.regions.map((one) => `${one.severity} anomaly from ${clock(one.from)}`).join("; ");
  return `${series.title} from ${clock(from)} to ${clock(to)} UTC${odd ? `; ${odd}` : ""}`;
}

/**
 * What the tooltip says at a time: value, expected range, who saw something, what happened.
 * @param {import("./chart.js").Series} series
 * @param {number} at
 */
export function reading(series, at) {
  const { t, y, lo, hi, unit, votes, marks } = series;
  const i = nearest(t, at);
  const [time = 0, next = 0] = [t[i], t[i + 1]];
  const band = typeof lo?.[i] === "number" ? [`expected ${number(lo[i])} to ${number(hi?.[i])}`] : [];
  const seen = votes.filter((one) => one.from <= time && one.to > time).map((one) => one.name);
  const told = marks.filter((one) => one.t >= time && one.t < next).map((one) => one.label);
  return [`${clock(time, true)} UTC`, `${number(y[i])} ${unit}`.trim(), ...band, ...seen, ...told].join(" · ");
}

const TOKENS = ["accent", "muted", "line", "text", "ok", "critical", "high", "medium", "low", "panel"];

/**
 * Colours of the theme as a canvas takes them: `light-dark()` resolves on an element only.
 * @param {HTMLElement} host
 * @returns {Record<string, string>}
 */
export function colours(host) {
  const probe = document.createElement("span");
  host.append(probe);
  const found = Object.fromEntries(
    TOKENS.map((token) => {
      probe.className = `ink-${token}`;
      return [token, getComputedStyle(probe).color];
    }),
  );
  probe.remove();
  return found;
}
