// @ts-check
// What single keys and buttons do, each with an undo for ten seconds.

const UNDO_MS = 10_000;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let fading;

/**
 * Show a short message; with `undo` a button to take it back.
 * @param {string} text
 * @param {(() => Promise<unknown>) | null} [undo] resolves to nothing where it did not work
 */
export function toast(text, undo = null) {
  const host = document.getElementById("toast");
  if (!host) return;
  clearTimeout(fading);
  host.replaceChildren(text);
  if (undo) {
    const button = document.createElement("button");
    button.textContent = "Undo";
    button.onclick = async () => {
      if (await undo()) toast("Taken back.");
    };
    host.append(" ", button);
  }
  host.hidden = false;
  fading = setTimeout(() => (host.hidden = true), UNDO_MS);
}

/**
 * Call the API; a refusal becomes a toast and null.
 * @param {string} method
 * @param {string} path
 * @param {object} [body]
 * @returns {Promise<any>}
 */
export async function call(method, path, body) {
  const headers = { Accept: "application/json", "Content-Type": "application/json" };
  const answer = await fetch(`/api/v1${path}`, { method, headers, body: body ? JSON.stringify(body) : null }).catch(
    () => null,
  );
  if (answer?.ok) return answer.status === 204 ? {} : answer.json();
  const problem = await answer?.json().catch(() => null);
  toast(problem?.detail ?? "No answer from the server.");
  return null;
}

/**
 * A page as it is now; null where the server does not give it.
 * @param {string | URL} path
 */
export async function page(path) {
  const answer = await fetch(path, { headers: { Accept: "text/html" } }).catch(() => null);
  return answer?.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
}

/**
 * Put choices into the address; an empty one is taken out.
 * @param {Record<string, string | number>} changes
 */
export function remember(changes) {
  const address = new URL(location.href);
  for (const [name, value] of Object.entries(changes)) {
    if (value) address.searchParams.set(name, String(value));
    else address.searchParams.delete(name);
  }
  history.pushState(null, "", address);
}

/**
 * @param {string} id
 * @param {object} change
 * @param {string} said
 */
export async function changeIncident(id, change, said) {
  const before = await call("GET", `/incidents/${id}`);
  const after = before && (await call("PATCH", `/incidents/${id}`, change));
  if (!after) return;
  const { status, assignee, snoozed_until } = before;
  toast(`${id} ${said}.`, async () => {
    // What somebody else has done since is not taken back.
    const now = await call("GET", `/incidents/${id}`);
    const same = now?.status === after.status && now.assignee === after.assignee;
    if (same) return call("PATCH", `/incidents/${id}`, { status, assignee, snoozed_until });
    if (now) toast(`${id} was changed by somebody else meanwhile.`);
  });
}

/**
 * @param {"anomalies" | "diagnoses"} kind
 * @param {string} id
 * @param {boolean} right
 */
export async function judge(kind, id, right) {
  const words = kind === "anomalies" ? ["true_positive", "false_positive"] : ["correct", "incorrect"];
  if (!(await call("POST", `/${kind}/${id}/feedback`, { verdict: words[right ? 0 : 1] }))) return;
  toast(`${id}: ${right ? "right." : "wrong. Similar ones now rank lower."}`, () =>
    call("DELETE", `/${kind}/${id}/feedback`),
  );
}

/**
 * Copy the Markdown twin of an object.
 * @param {string} path
 */
export async function copyMarkdown(path) {
  const answer = await fetch(`${path}.md`).catch(() => null);
  if (answer?.ok) copy(await answer.text());
  else toast("There is nothing to copy.");
}

/**
 * `navigator.clipboard` is absent on plain http; the old way still works there.
 * @param {string} text
 */
export async function copy(text) {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "away";
  (document.querySelector("dialog[open]") ?? document.body).append(area);
  area.select();
  const done =
    document.execCommand("copy") ||
    (await navigator.clipboard?.writeText(text).then(
      () => true,
      () => false,
    ));
  area.remove();
  toast(done ? "Copied." : "This browser refuses to copy; use the Markdown link.");
}
