// @ts-check
// Keeps an open page current: events only say that something changed; the page is then fetched again
// and its live regions are exchanged in place. Who asked for it hears and sees a notice of what is serious.
import { call, page, toast } from "./act.js";
import { follow } from "./feed.js";

const QUIET_MS = 400;
const LONG_MS = 30_000;
const SCROLLED_PX = 160;

/** @type {ReturnType<typeof setTimeout> | undefined} */
let pending;
/** @type {(() => void) | undefined} */
let leave;
let state = "static";
/** The incident that was told of last. */
let told = "";

/** @param {string} next */
function show(next) {
  state = next;
  const dot = document.getElementById("live-dot");
  if (!dot) return;
  dot.dataset.state = next;
  dot.textContent = next;
  document.getElementById("offline")?.toggleAttribute("hidden", next !== "reconnecting");
}

/** Fetch the page again and exchange its live regions. */
export async function refresh(force = false) {
  const fresh = await page(location.href);
  if (!fresh) return;
  for (const old of document.querySelectorAll("[data-live]")) {
    const now = fresh.getElementById(old.id);
    if (now && now.innerHTML !== old.innerHTML) exchange(old, now, force);
  }
  document.title = fresh.title;
  show(state);
  document.dispatchEvent(new CustomEvent("refreshed"));
}

/**
 * @param {Element} old
 * @param {Element} now
 * @param {boolean} force
 */
function exchange(old, now, force) {
  const focused = document.activeElement;
  if (focused !== document.body && old.contains(focused) && focused?.matches("input, select, textarea")) return;
  // Rows never move away under the cursor or while somebody reads further down.
  const calm = old.hasAttribute("data-calm");
  const news = document.getElementById("news");
  if (calm && !force && (old.matches(":hover") || scrollY > SCROLLED_PX) && order(old) !== order(now)) {
    let n = 0;
    for (const row of now.querySelectorAll("[data-row]")) {
      const known = document.getElementById(row.id);
      if (known) known.replaceWith(row);
      else n += 1;
    }
    news?.removeAttribute("hidden");
    news?.replaceChildren(`${n || "another order"}${n ? " new" : ""}: show`);
    return;
  }
  keepFolds(old, now);
  const id = focused?.id;
  old.replaceWith(document.adoptNode(now));
  if (calm) news?.setAttribute("hidden", "");
  if (id && document.activeElement === document.body) document.getElementById(id)?.focus({ preventScroll: true });
}

/** @param {Element} host */
const order = (host) => [...host.querySelectorAll("[data-row]")].map((one) => one.id).join();

/**
 * A reader's open and closed sections stay as they are.
 * @param {Element} old
 * @param {Element} now
 */
function keepFolds(old, now) {
  const before = [...old.querySelectorAll("details")];
  [...now.querySelectorAll("details")].forEach((fold, i) => {
    const twin = before[i];
    if (twin) fold.open = twin.open;
  });
}

function soon() {
  clearTimeout(pending);
  if (!document.hidden) pending = setTimeout(refresh, QUIET_MS + Math.random() * QUIET_MS);
}

/** Switch it on or off for this browser. */
export async function toggle() {
  const on = !localStorage.getItem("notice");
  if (on) await globalThis.Notification?.requestPermission();
  localStorage.setItem("notice", on ? "1" : "");
  toast(`Sound and desktop notice ${on ? "on" : "off"}.`);
  if (on) ring();
}

function ring() {
  const audio = new AudioContext();
  const tone = audio.createOscillator();
  tone.connect(audio.destination);
  tone.start();
  tone.stop(0.2);
}

/** @param {import("./feed.js").Message} message */
async function tell({ event, data, first }) {
  // Of several tabs the first one speaks.
  if (event !== "anomaly.created" || first === false || !localStorage.getItem("notice")) return;
  const found = await call("GET", `/anomalies/${JSON.parse(data ?? "").id}`);
  if (!/high|critical/.test(found?.severity) || told === found.incident_id) return;
  told = found.incident_id;
  ring();
  new Notification(`${found.severity} ${found.affected_metrics[0]}`, { tag: told });
}

/** @param {import("./feed.js").Message} message */
function heard(message) {
  if (message.state) {
    const back = state === "reconnecting" && message.state === "live";
    show(message.state);
    if (back) soon();
  }
  if (message.event) {
    tell(message);
    soon();
  }
}

function join() {
  if (leave) return;
  if (typeof SharedWorker === "undefined") {
    // Without a shared worker a page that nobody looks at gives its connection back.
    leave = document.hidden ? undefined : follow(heard);
    return;
  }
  const hub = new SharedWorker(new URL("./feed.js", import.meta.url), { type: "module", name: "desk" });
  hub.port.onmessage = (event) => heard(event.data);
  leave = () => hub.port.postMessage("bye");
}

function part() {
  leave?.();
  leave = undefined;
}

/** Begin to listen. */
export function start() {
  join();
  addEventListener("pagehide", part);
  addEventListener("pageshow", join);
  document.addEventListener("visibilitychange", () => {
    if (typeof SharedWorker === "undefined" && document.hidden) part();
    else join();
    soon();
  });
  document.addEventListener("click", (event) => {
    if (/** @type {Element} */ (event.target).closest("#news")) refresh(true);
  });
  // Ages grow and silence counts, also where nothing is announced.
  setInterval(soon, LONG_MS);
}
