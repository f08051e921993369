// Requests to the helpline. A network that is away is an exception; a refusal is an answer.

import { secret } from "./secret.js";

// Milliseconds: a slow network takes seconds for each answer, a dead one takes for ever.
const PATIENCE = 30000;
const canStop = typeof AbortController === "function";
export const canStream =
  canStop && typeof ReadableStream === "function" && typeof TextDecoder === "function";

function headers(body) {
  const wanted = {};
  if (body !== undefined) wanted["Content-Type"] = "application/json";
  if (secret()) wanted.Authorization = `Bearer ${secret()}`;
  return wanted;
}

function start(method, path, body, more = {}) {
  return fetch(`/chat${path}`, {
    method,
    headers: headers(body),
    body: body === undefined ? undefined : JSON.stringify(body),
    cache: "no-store",
    credentials: "omit",
    ...more,
  });
}

/** Ask, and return the status with what was answered. */
export async function ask(method, path, body, patience = PATIENCE) {
  const stop = canStop ? new AbortController() : null;
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => {
      if (stop) stop.abort();
      reject(new Error("late"));
    }, patience);
  });
  const asked = (async () => {
    const answer = await start(method, path, body, stop ? { signal: stop.signal } : {});
    const text = await answer.text();
    const json = (answer.headers.get("content-type") || "").indexOf("json") >= 0;
    return { ok: answer.ok, status: answer.status, body: json && text ? JSON.parse(text) : null };
  })();
  try {
    return await Promise.race([asked, late]);
  } finally {
    clearTimeout(timer);
    asked.catch(() => {});
  }
}

// Bytes that a browser sends for pages that are closed, less a reserve.
const MOST_KEPT = 60000;
const bytes = (body) => encodeURIComponent(JSON.stringify(body)).replace(/%../g, "x").length;

// Messages that one end can bring, as the helpline takes them.
const MOST_LAST = 100;
// Bytes that are left for a message that is being left, and for what opens a conversation.
const RESERVE = 13000;

/** Return whether these words, and one message more, can be said while the child leaves. */
export const fits = (words) => words.length < MOST_LAST && bytes(words) < MOST_KEPT - RESERVE;

/** Say something with the last words of the child, in one request that is sent even if the page is
 * closed meanwhile. The page takes no more words than fit into it. */
export function tell(path, body, words) {
  start("POST", path, { ...body, words }, { keepalive: true }).catch(() => {});
}

// A server that is heard less often than this is away. It says every 15 seconds that it is there.
const SILENCE = 45000;
// A network that keeps a stream back until it ends is of no use.
const FIRST = 20000;

/** Tell what stands in the events of a piece of a stream; what is not whole yet is returned. */
function tellEvents(text, onNews, onMarks) {
  const events = text.split("\n\n");
  const rest = events.pop();
  let read = false;
  events.forEach((event) => {
    const data = event.indexOf("data: ");
    if (data < 0) return;
    if (event.indexOf("event: marks") < 0) read = true;
    else onMarks(JSON.parse(event.slice(data + 6)));
  });
  if (read) onNews();
  return rest;
}

/** Follow the news until the stream ends: there is something to read, or only marks have changed.
 * Return whether anything came. */
export async function stream(onNews, onMarks, onOpen) {
  const stop = new AbortController();
  let timer;
  let came = false;
  let rest = "";
  const wait = (patience) => {
    clearTimeout(timer);
    timer = setTimeout(() => stop.abort(), patience);
  };
  onOpen(stop);
  wait(FIRST);
  try {
    const answer = await start("GET", "/conversation/events", undefined, { signal: stop.signal });
    if (!answer.ok || !answer.body) return { came, status: answer.status };
    const reader = answer.body.getReader();
    const decoder = new TextDecoder();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return { came, status: 200 };
      came = true;
      wait(SILENCE);
      rest = tellEvents(rest + decoder.decode(value, { stream: true }), onNews, onMarks);
    }
  } catch (error) {
    return { came, status: 0 };
  } finally {
    clearTimeout(timer);
  }
}
