// @ts-check
// What single keys and buttons do, each with an undo for ten seconds.

const UNDO_MS = 10_000;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let fading;

/**
 * Show a short message; with `undo` a button to take it back.
 * @param {string} text
 * @param {(() => Promise<unknown>) | null} [undo]
 */
export function toast(text, undo = null) {
  const host = document.getElementById("toast");
  if (!host) return;
  clearTimeout(fading);
  host.replaceChildren(document.createTextNode(text));
  if (undo) {
    const button = document.createElement("button");
    button.textContent = "Undo";
    button.onclick = async () => {
      await undo();
      toast("Taken back.");
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
  toast(problem?.detail ?? "The server does not answer.");
  return null;
}

/**
 * @param {string} id
 * @param {object} change
 * @param {string} said
 */
export async function changeIncident(id, change, said) {
  const before = await call("GET", `/incidents/${id}`);
  if (!before || !(await call("PATCH", `/incidents/${id}`, change))) return;
  const { status, assignee, snoozed_until } = before;
  toast(`${id} ${said}.`, () => call("PATCH", `/incidents/${id}`, { status, assignee, snoozed_until }));
}

/**
 * @param {"anomalies" | "diagnoses"} kind
 * @param {string} id
 * @param {boolean} right
 * @param {string} [cause]
 */
export async function judge(kind, id, right, cause) {
  const words = kind === "anomalies" ? ["true_positive", "false_positive"] : ["correct", "incorrect"];
  const body = { verdict: words[right ? 0 : 1], ...(cause ? { actual_cause: cause } : {}) };
  if (!(await call("POST", `/${kind}/${id}/feedback`, body))) return;
  toast(`${id}: ${right ? "right" : "wrong"}. ${right ? "" : "Similar ones now rank lower."}`, () =>
    call("DELETE", `/${kind}/${id}/feedback`),
  );
}

/**
 * Copy the Markdown twin of an object.
 * @param {string} path
 */
export async function copyMarkdown(path) {
  const answer = await fetch(`${path}.md`).catch(() => null);
  if (!answer?.ok) return toast("There is nothing to copy.");
  const text = await answer.text();
  toast((await copied(text)) ? "Copied as Markdown." : "This browser refuses to copy; use the Markdown link.");
}

/**
 * `navigator.clipboard` is absent on plain http; the old way still works there.
 * @param {string} text
 */
async function copied(text) {
  if (navigator.clipboard) {
    const done = await navigator.clipboard.writeText(text).then(
      () => true,
      () => false,
    );
    if (done) return true;
  }
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "away";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}
