// @ts-check
// The chat: a question, the steps of the answer as they are taken, then the answer with its evidence.
import { call, toast } from "./act.js";
import { apply } from "./run.js";

const NEAR_PX = 40;
/** @type {AbortController | null} */
let asking = null;

const byId = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const log = () => byId("messages");

/** Whether the reader is at the bottom: only then the view follows. */
function following() {
  const host = log();
  return host.scrollHeight - host.scrollTop - host.clientHeight < NEAR_PX;
}

/** @param {boolean} follow */
function settle(follow) {
  if (follow) log().scrollTop = log().scrollHeight;
  byId("latest").hidden = follow || following();
}

/**
 * @param {string} role
 * @param {string} text
 */
function message(role, text) {
  const row = Object.assign(document.createElement("article"), { className: `message ${role}` });
  const steps = Object.assign(document.createElement("details"), { open: true, hidden: true });
  const title = document.createElement("summary");
  const list = document.createElement("ol");
  steps.append(title, list);
  const words = Object.assign(document.createElement("p"), { className: "words", textContent: text });
  row.append(steps, words);
  log().append(row);
  return { row, steps, title, list, words };
}

/**
 * @param {ReturnType<typeof message>} answer
 * @param {string} event
 * @param {any} data
 */
function heard(answer, event, data) {
  const follow = following();
  if (event === "token") answer.words.textContent += data.text;
  if (event.startsWith("step.")) {
    answer.steps.hidden = false;
    apply(answer.list, event, data);
  }
  if (event === "tool.started") apply(answer.list, "step.started", { id: data.id, title: data.name });
  if (event === "tool.finished") {
    const rows = `${data.rows} row${data.rows === 1 ? "" : "s"}${data.error ? `: ${data.error}` : ""}`;
    apply(answer.list, "step.finished", { id: data.id, ms: data.ms, summary: rows });
  }
  if (event === "usage") {
    const cost = data.cost_usd === null ? "cost unknown" : `$${data.cost_usd.toFixed(4)}`;
    byId("usage").textContent = `${data.input_tokens + data.output_tokens} tokens · ${cost}.`;
  }
  if (event === "error") answer.words.textContent += `\n${data.message}`;
  if (event === "run.finished") {
    answer.steps.open = false;
    if (data.thread_id) byId("chat").dataset.thread = data.thread_id;
  }
  const n = answer.list.children.length;
  answer.title.textContent = `${n} step${n === 1 ? "" : "s"}`;
  settle(follow);
}

/**
 * Read server-sent events from the body of an answer.
 * @param {Response} answer
 * @param {(event: string, data: any) => void} tell
 */
async function read(answer, tell) {
  const reader = /** @type {ReadableStream<Uint8Array>} */ (answer.body).getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + decoder.decode(value, { stream: true })).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const fields = block.split("\n");
      const event = fields.find((one) => one.startsWith("event:"))?.slice(6).trim();
      const data = fields.filter((one) => one.startsWith("data:")).map((one) => one.slice(5)).join("\n");
      if (event && data) tell(event, JSON.parse(data));
    }
  }
}

/** @param {string} text */
async function ask(text) {
  const thread = byId("chat").dataset.thread;
  message("user", text);
  const answer = message("assistant", "");
  settle(true);
  asking = new AbortController();
  byId("chat").dataset.state = "running";
  const headers = { "Content-Type": "application/json", Accept: "text/event-stream" };
  const body = JSON.stringify({ message: text, ...(thread ? { thread_id: thread } : {}) });
  try {
    const reply = await fetch("/api/v1/chat", { method: "POST", headers, body, signal: asking.signal });
    if (!reply.ok) {
      byId("unavailable").hidden = reply.status !== 404;
      const problem = await reply.json().catch(() => null);
      answer.words.textContent = problem?.detail ?? `The server answered ${reply.status}.`;
    } else {
      await read(reply, (event, data) => heard(answer, event, data));
      await finish(answer.row);
    }
  } catch {
    answer.words.textContent += asking.signal.aborted ? " (stopped)" : " (the connection was lost; ask again)";
  }
  byId("chat").dataset.state = "idle";
}

/**
 * The stored answer with its citations takes the place of the streamed text.
 * @param {HTMLElement} row
 */
async function finish(row) {
  const thread = byId("chat").dataset.thread;
  if (!thread) return;
  history.replaceState(null, "", `/chat/${thread}`);
  const answer = await fetch(`/fragments/chat/${thread}`).catch(() => null);
  if (!answer?.ok) return;
  const follow = following();
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").body.firstElementChild;
  if (fresh) row.querySelector(".words")?.replaceWith(document.adoptNode(fresh));
  settle(follow);
}

/** @param {DOMStringMap} said */
async function judge(said) {
  const path = `/chat/${byId("chat").dataset.thread}/messages/${said.n}/feedback`;
  if (await call("POST", path, { verdict: said.verdict })) toast("Thank you; it counts.");
}

/** Begin to listen. */
export function start() {
  const box = /** @type {HTMLTextAreaElement} */ (byId("question"));
  const send = () => {
    const text = box.value.trim();
    if (!text || byId("chat").dataset.state === "running") return;
    box.value = "";
    ask(text);
  };
  byId("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      send();
    }
    if (event.key === "Escape") asking?.abort();
  });
  byId("stop").addEventListener("click", () => asking?.abort());
  byId("latest").addEventListener("click", () => settle(true));
  log().addEventListener("scroll", () => settle(false));
  document.addEventListener("click", (event) => {
    const button = /** @type {Element} */ (event.target).closest("[data-ask]");
    if (button) ask(button.textContent ?? "");
    const judged = /** @type {Element} */ (event.target).closest("[data-verdict]");
    if (judged instanceof HTMLElement) judge(judged.dataset);
  });
  settle(true);
}
