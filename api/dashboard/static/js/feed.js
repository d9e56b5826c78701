// @ts-check
// One event stream of announcements: what was created, changed or finished, by id. Loaded as a shared
// worker it serves all tabs, for browsers allow six connections per host.

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
const RETRY_MS = 2000;
/** @typedef {{state?: string, event?: string, data?: string, first?: boolean}} Message */

/**
 * Follow the stream until the returned function is called.
 * @param {(message: Message) => void} tell
 * @returns {() => void}
 */
export function follow(tell) {
  /** @type {EventSource} */
  let stream;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let retry;

  function open() {
    stream = new EventSource("/api/v1/stream");
    stream.onopen = () => tell({ state: "live" });
    stream.onerror = () => {
      tell({ state: "reconnecting" });
      // A refusal ends an EventSource for good; a lost connection it mends itself.
      if (stream.readyState === EventSource.CLOSED) retry = setTimeout(open, RETRY_MS);
    };
    for (const event of EVENTS) stream.addEventListener(event, ({ data }) => tell({ event, data }));
  }
  open();
  return () => {
    clearTimeout(retry);
    stream.close();
  };
}

/** @type {Set<MessagePort>} */
const tabs = new Set();
let state = "connecting";
/** @type {(() => void) | undefined} */
let stop;

/** @param {Message} message */
function tellAll(message) {
  state = message.state ?? state;
  const [first] = tabs;
  for (const tab of tabs) tab.postMessage({ ...message, first: tab === first });
}

/** @param {MessageEvent} event */
function connected({ ports: [tab] }) {
  if (!tab) return;
  tabs.add(tab);
  tab.onmessage = () => {
    tabs.delete(tab);
    if (tabs.size > 0) return;
    stop?.();
    stop = undefined;
    state = "connecting";
  };
  tab.postMessage({ state });
  stop ??= follow(tellAll);
}

if (typeof document === "undefined") /** @type {any} */ (self).onconnect = connected;
