// @ts-check
// Keeps an open page current: one event stream, whose events only say that something changed.
// The page is then fetched again and its live regions are exchanged in place.

const EVENTS = [
  "anomaly.created",
  "anomaly.updated",
  "incident.updated",
  "diagnosis.updated",
  "cycle.finished",
  "source.status",
  "feedback.created",
  "gap",
];
const QUIET_MS = 400;

/** @type {EventSource | null} */
let stream = null;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let pending;
let state = "off";

/** @param {string} next */
function show(next) {
  state = next;
  const dot = document.getElementById("live-dot");
  if (!dot) return;
  dot.dataset.state = next;
  dot.textContent = next === "off" ? "static" : next;
}

async function refresh() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
  if (!answer || !answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const old of document.querySelectorAll("[data-live]")) {
    const now = fresh.getElementById(old.id);
    if (!now || now.innerHTML === old.innerHTML) continue;
    if (old.contains(document.activeElement) && document.activeElement !== document.body) continue;
    keepFolds(old, now);
    old.replaceWith(document.adoptNode(now));
  }
  document.title = fresh.title;
  show(state);
}

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
  pending = setTimeout(refresh, QUIET_MS);
}

function connect() {
  if (stream || document.hidden) return;
  stream = new EventSource("/api/v1/stream");
  stream.onopen = () => {
    if (state === "reconnecting") soon();
    show("live");
  };
  stream.onerror = () => show("reconnecting");
  for (const name of EVENTS) stream.addEventListener(name, soon);
}

function pause() {
  // Browsers allow six connections per host: pages that nobody looks at give theirs back.
  stream?.close();
  stream = null;
  show("off");
}

if (document.getElementById("live-dot")) {
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      pause();
    } else {
      connect();
      soon();
    }
  });
  connect();
}
