// @ts-check
// The chat, as a page or as a drawer on any page: a question, the steps of the answer as they are taken,
// then the stored answer with its evidence, as the server draws it.
import { call, copy, page, toast } from "./act.js";
import { apply } from "./run.js";

const NEAR_PX = 40;
/** @type {AbortController | null} */
let asking = null;

const byId = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const chat = () => byId("chat");
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
  const row = document.createElement("article");
  row.className = `message ${role}`;
  row.innerHTML = '<details open hidden><summary></summary><ol class="steps"></ol></details><p class="words"></p>';
  const [steps, words] = /** @type {any} */ (row.children);
  words.textContent = text;
  log().append(row);
  return { row, steps, words };
}

/**
 * @param {ReturnType<typeof message>} answer
 * @param {string} event
 * @param {any} data
 */
function heard({ steps, words }, event, data) {
  const [title, list] = steps.children;
  const follow = following();
  if (data.thread_id) chat().dataset.thread = data.thread_id;
  if (event === "token") words.textContent += data.text;
  if (event === "error") words.textContent += `\n${data.message}`;
  apply(list, event, data);
  if (event === "tool.started") apply(list, "step.started", { id: data.id, title: data.name });
  if (event === "tool.finished") {
    const rows = `${data.rows} row${data.rows === 1 ? "" : "s"}${data.error ? `: ${data.error}` : ""}`;
    apply(list, "step.finished", { id: data.id, ms: data.ms, summary: rows });
  }
  const n = list.children.length;
  steps.hidden = !n;
  title.textContent = `${n} step${n === 1 ? "" : "s"}`;
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
      const event = /^event: ?(.+)$/m.exec(block)?.[1];
      const data = [...block.matchAll(/^data: ?(.*)$/gm)].map((one) => one[1]).join("\n");
      if (event && data) tell(event, JSON.parse(data));
    }
  }
}

/** @param {string} text */
async function ask(text) {
  if (!text || chat().dataset.state === "running") return;
  const { thread } = chat().dataset;
  message("user", text);
  const answer = message("assistant", "");
  settle(true);
  asking = new AbortController();
  chat().dataset.state = "running";
  const headers = { "Content-Type": "application/json", Accept: "text/event-stream" };
  const body = JSON.stringify({ message: text, ...(thread ? { thread_id: thread } : {}) });
  try {
    const reply = await fetch("/api/v1/chat", { method: "POST", headers, body, signal: asking.signal });
    if (reply.ok) {
      await read(reply, (event, data) => heard(answer, event, data));
      await finish(answer.row);
    } else {
      byId("unavailable").hidden = reply.status !== 404;
      const problem = await reply.json().catch(() => null);
      answer.words.textContent = problem?.detail ?? `The server answered ${reply.status}.`;
    }
  } catch {
    answer.words.textContent += asking.signal.aborted ? " (stopped)" : " (the connection was lost; ask again)";
  }
  answer.steps.open = false;
  if (chat()) chat().dataset.state = "idle";
}

/**
 * The stored answer with folded steps, citations and cost takes the place of the streamed one.
 * @param {HTMLElement} row
 */
async function finish(row) {
  const { thread } = chat().dataset;
  if (!thread) return;
  if (location.pathname.startsWith("/chat")) history.replaceState(null, "", `/chat/${thread}`);
  const fresh = (await page(`/fragments/chat/${thread}`))?.querySelector("article");
  const follow = following();
  if (fresh) row.replaceWith(fresh);
  settle(follow);
}

/** Stop here and on the server; what was found so far stays. */
function stop() {
  const { thread } = chat().dataset;
  if (thread && chat().dataset.state === "running") call("POST", `/chat/${thread}/cancel`);
  asking?.abort();
}

function send() {
  const box = /** @type {HTMLTextAreaElement} */ (byId("question"));
  if (chat().dataset.state === "running") return;
  ask(box.value.trim());
  box.value = "";
}

/** @param {MouseEvent} event */
async function clicked(event) {
  const button = /** @type {Element} */ (event.target).closest("#chat button");
  if (!(button instanceof HTMLElement)) return;
  const { ask: question, verdict, n } = button.dataset;
  if (button.id === "stop") stop();
  if (button.id === "latest") settle(true);
  if (question) ask(question);
  if ("copy" in button.dataset) copy(button.closest("article")?.querySelector(".words")?.textContent ?? "");
  if (!verdict) return;
  if (await call("POST", `/chat/${chat().dataset.thread}/messages/${n}/feedback`, { verdict })) toast("Thank you; it counts.");
}

/** Begin to listen. */
export function start() {
  document.addEventListener("click", clicked);
  document.addEventListener("submit", (event) => {
    if (/** @type {HTMLElement} */ (event.target).id !== "ask") return;
    event.preventDefault();
    send();
  });
  document.addEventListener("keydown", (event) => {
    if (/** @type {HTMLElement} */ (event.target).id !== "question") return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      send();
    }
    if (event.key === "Escape") stop();
  });
  // Scrolling does not bubble.
  document.addEventListener("scroll", (event) => event.target === log() && settle(false), true);
  settle(true);
}
