// The messages on the screen, in the order of their numbers; those that are not sent yet at the end.

import { $, facts, say } from "./facts.js";

const SENTENCES = ["counsellor_here", "counsellor_lost", "handed_over", "busy_a_moment"];
let byNumber = {};
let byKey = {};
let last = 0;
let mine = 0;
let language = facts.language;

/** Say in which language the two write: the page may be in another one. */
export function writtenIn(code) {
  language = code;
  $("field").lang = code;
  $("typed").lang = code;
}

export const lastNumber = () => last;

export function clear() {
  byNumber = {};
  byKey = {};
  last = 0;
  mine = 0;
  $("log").textContent = "";
  $("mark").textContent = "";
}

function bubble(message) {
  const { sentence, erased } = message;
  if (erased) return drawn(message.by, say("erased"));
  if (!sentence) return drawn(message.by, message.text, language);
  return drawn(message.by, SENTENCES.indexOf(sentence) >= 0 ? say(sentence) : "");
}

/** Draw a message; without a language it is in that of the page. */
function drawn(by, text, code = "") {
  const made = document.createElement("div");
  made.className = `by-${by}`;
  if (by !== "program") {
    const name = document.createElement("b");
    name.textContent = say(by === "child" ? "you" : "counsellor");
    made.appendChild(name);
  }
  const said = document.createElement("p");
  said.dir = "auto";
  if (code) said.lang = code;
  said.textContent = text;
  made.appendChild(said);
  return made;
}

function isAtEnd() {
  const { scrollHeight, scrollTop, clientHeight } = $("log");
  return scrollHeight - scrollTop - clientHeight < 60;
}

function place(made, before) {
  const follow = isAtEnd();
  $("log").insertBefore(made, before);
  if (follow) $("log").scrollTop = $("log").scrollHeight;
}

/** Show what the child has just written, before it is sent. */
export function addUnsent(message) {
  const made = drawn("child", message.text, language);
  made.className = "by-child unsent";
  const mark = document.createElement("small");
  mark.textContent = say("not_sent");
  made.appendChild(mark);
  byKey[message.key] = made;
  place(made, null);
  $("log").scrollTop = $("log").scrollHeight;
}

function isSent(made) {
  made.className = "by-child";
  const mark = made.querySelector("small");
  if (mark) made.removeChild(mark);
}

/** The helpline has a message of this page. */
export function markSent(key, number) {
  const made = byKey[key];
  mine = Math.max(mine, number);
  if (made && !byNumber[number]) {
    isSent(made);
    byNumber[number] = made;
  }
}

export function remove(key) {
  if (byKey[key]) $("log").removeChild(byKey[key]);
  delete byKey[key];
}

export function markFailed(key) {
  const mark = byKey[key] && byKey[key].querySelector("small");
  if (mark) mark.textContent = say("failed");
}

/** Show messages as they were read. */
export function add(messages) {
  messages.forEach((message) => {
    last = Math.max(last, message.number);
    const own = message.by === "child";
    if (own) mine = Math.max(mine, message.number);
    if (byNumber[message.number]) return;
    const made = own && byKey[message.client_key];
    if (made) {
      markSent(message.client_key, message.number);
      return;
    }
    byNumber[message.number] = bubble(message);
    place(byNumber[message.number], $("log").querySelector(".unsent"));
  });
}

/** Say how far the child's last message came, as long as it is the last one of all. */
export function mark({ delivered, seen }) {
  let how = "";
  const made = $("log").lastElementChild;
  if (mine && made && made.className === "by-child") how = say(seen >= mine ? "seen" : delivered >= mine ? "delivered" : "sent");
  if ($("mark").textContent !== how) $("mark").textContent = how;
}
