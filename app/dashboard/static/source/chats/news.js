// What is new in a conversation is put where it belongs, without drawing all of them again: the stream
// says in which one there is something to read, or how far the child has read. All are drawn again only
// when one comes or goes, or when something may have been missed.
import { Idiomorph } from "idiomorph/dist/idiomorph-ext.esm.js";
import htmx from "htmx.org";
import { tick } from "../clocks.js";
import { fetchOwn } from "../frame/own.js";
import { elements } from "../live.js";
import { showNow } from "./now.js";

// How long the sign that a child is typing lasts if it is not repeated, in milliseconds.
const TYPES_FOR = 8000;
// How often the desk asks whether the children's pages are still open.
const STATES_EVERY = 20000;
const PAUSE = 1500;

const of = (id) => document.getElementById(`chat-${id}`);
const whole = () => htmx.trigger("#chats", "refresh");
let changed = () => {};

// When a request began: a state that was asked for earlier than the one that is shown is not shown.
const sent = new WeakMap();
document.addEventListener("htmx:beforeSend", ({ detail: { xhr } }) => sent.set(xhr, performance.now()));
export const began = (xhr) => sent.get(xhr) ?? 0;
const newAs = new Map();

const isAtEnd = (said) => said.scrollHeight - said.scrollTop - said.clientHeight < 48;

const put = (list, bubble) => {
  const before = document.getElementById(bubble.id);
  if (before) return void Idiomorph.morph(before, bubble, { morphStyle: "outerHTML" });
  const number = Number(bubble.dataset.number);
  const earlier = [...list.children].findLast((one) => Number(one.dataset.number) < number);
  if (earlier) earlier.after(bubble);
  else list.prepend(bubble);
  htmx.process(bubble);
};

// How far the words of the counsellor have come.
const marks = (chat, delivered, seen, sent = 0) => {
  for (const bubble of chat.querySelectorAll('.bubble[data-by="counsellor"]:not([data-whisper])')) {
    const number = Number(bubble.dataset.number);
    const ticks = bubble.querySelector(".ticks");
    const left = number <= sent && ticks?.hasAttribute("data-sending") ? "sent" : "";
    const now = number <= seen ? "seen" : number <= delivered ? "delivered" : left;
    if (!now || !ticks || ticks.hasAttribute("data-seen") || bubble.dataset.come === now) continue;
    const made = document.querySelector(`template[data-ticks-of="${now}"]`)?.content.cloneNode(true);
    if (made) ticks.replaceWith(made);
    bubble.dataset.come = now;
  }
};

const timers = new WeakMap();
const types = (chat) => {
  clearTimeout(timers.get(chat));
  const sign = chat.querySelector(".types");
  if (sign && !sign.hidden) timers.set(chat, setTimeout(() => { sign.hidden = true; }, TYPES_FOR));
};

// The child began to type, or has stopped. Its words, if it wants them to be read, are fetched.
const signs = (chat, stopped) => {
  const sign = chat.querySelector(".types");
  if (stopped || sign.querySelector(".words")) return read(chat.dataset.chat);
  sign.hidden = false;
  return types(chat);
};

const stands = (chat, part) => {
  const take = (selector) => chat.querySelector(selector).replaceWith(part.querySelector(selector));
  chat.dataset.unread = part.dataset.unread;
  take(".chat-state");
  take(".types");
  types(chat);
  if (part.querySelector("[data-suggests] *")) take("[data-suggests]");
  document.querySelector(`[data-open-chat="${part.dataset.chatNews}"] [data-tab-state]`)
    ?.replaceWith(part.querySelector("[data-tab-state]"));
};

// Put what is new where it belongs. `by`: that of which it is the answer, "news", "states" or "said".
// Return whether there is more to read.
export const apply = (part, asked, by = "news") => {
  const chat = of(part.dataset.chatNews);
  if (!chat || chat.classList.contains("danger") !== part.hasAttribute("data-danger")) return void whole();
  const said = chat.querySelector("[data-said]");
  const follows = isAtEnd(said);
  const [bubbles, last] = [[...part.querySelectorAll("ol > .bubble")], Number(part.dataset.last)];
  for (const bubble of bubbles) put(said.querySelector("ol"), bubble);
  const known = Math.max(Number(chat.dataset.last), ...bubbles.map((one) => Number(one.dataset.number)));
  chat.dataset.last = known;
  if (by !== "states") marks(chat, Number(part.dataset.delivered), Number(part.dataset.seen));
  const id = chat.dataset.chat;
  if (asked >= (newAs.get(id) ?? 0)) {
    newAs.set(id, asked);
    stands(chat, part);
  }
  if (by === "said") chat.querySelector("[data-warned]").replaceWith(part.querySelector("[data-warned]"));
  tick();
  if (follows) said.scrollTop = said.scrollHeight;
  changed();
  showNow();
  return known < last;
};

// What the counsellor has before their eyes is not new any more.
export const isSeen = (chat, last) => {
  if (chat.dataset.last !== last) return;
  chat.dataset.unread = "0";
  const tab = document.querySelector(`[data-open-chat="${chat.dataset.chat}"]`);
  for (const badge of [chat.querySelector(".chat-state .unread"), tab?.querySelector(".unread")]) badge?.remove();
  showNow();
};

const ask = async (address) => {
  const asked = performance.now();
  const answer = await fetchOwn(address, { headers: { "HX-Request": "true" } });
  if (!answer.ok || answer.redirected) throw new Error(answer.status);
  return { asked, parts: [...elements(await answer.text(), "[data-chat-news]")] };
};

// One request at a time for each conversation: what comes meanwhile is asked for after it.
const asking = new Map();
const read = async (id) => {
  if (asking.has(id)) return void asking.set(id, true);
  try {
    do {
      asking.set(id, false);
      const { asked, parts } = await ask(`/board/chats/${id}/news?after=${of(id)?.dataset.last ?? 0}`);
      for (const part of parts) if (apply(part, asked)) asking.set(id, true);
    } while (asking.get(id) && of(id));
  } catch {
    // It is another's by now, or the network is away: what is there is drawn as a whole.
    setTimeout(whole, PAUSE * Math.random());
  } finally {
    asking.delete(id);
  }
};

// All were drawn again: what came while that was asked for is read once more.
export const catchUp = (xhr) => {
  const asked = began(xhr);
  for (const [id, at] of newAs) {
    if (!of(id)) newAs.delete(id);
    else if (at >= asked) read(id);
  }
};

const follow = ({ detail: chats }) => {
  if (!document.getElementById("chats")) return;
  if (chats === null) return void whole();
  for (const [id, news] of Object.entries(chats)) {
    if (news === null || !of(id)) read(id);
    else {
      marks(of(id), news.delivered ?? 0, news.seen ?? 0, news.sent ?? 0);
      if ("types" in news) signs(of(id), news.types === 0);
    }
  }
};

const askStates = async () => {
  if (document.hidden || !document.querySelector(".chat")) return;
  try {
    const { asked, parts } = await ask("/board/chats/states");
    if (parts.length !== document.querySelectorAll(".chat").length) whole();
    for (const part of parts) if (apply(part, asked, "states")) read(part.dataset.chatNews);
  } catch { /* the stream says when nothing is current */ }
};

export const followNews = (then) => {
  changed = then;
  document.addEventListener("helpline:chats", follow);
  setInterval(askStates, STATES_EVERY);
};
