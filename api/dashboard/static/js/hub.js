// @ts-check
// The shared worker: browsers allow six connections per host, so all tabs share this one stream.
import { follow } from "./feed.js";

/** @type {Set<MessagePort>} */
const tabs = new Set();
let state = "connecting";
/** @type {(() => void) | undefined} */
let stop;

/** @param {{state?: string, event?: string, data?: string}} message */
function tell(message) {
  state = message.state ?? state;
  for (const tab of tabs) tab.postMessage(message);
}

/** @param {MessageEvent} event */
function connected(event) {
  const tab = event.ports[0];
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
  stop ??= follow(tell);
}

/** @type {any} */ (self).onconnect = connected;
