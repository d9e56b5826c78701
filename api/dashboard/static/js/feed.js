// @ts-check
// One event stream of announcements: what was created, changed or finished, by id.

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

/**
 * Follow the stream until the returned function is called.
 * @param {(message: {state?: string, event?: string, data?: string}) => void} tell
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
    for (const event of EVENTS) {
      stream.addEventListener(event, (/** @type {MessageEvent} */ one) => tell({ event, data: one.data }));
    }
  }
  open();
  return () => {
    clearTimeout(retry);
    stream.close();
  };
}
