// The top bar says how many children write, and how long one waits. On the desk all conversations are
// in the page, so it is told from them, without a request.
import { Idiomorph } from "idiomorph/dist/idiomorph-ext.esm.js";
import { counted, tick } from "../clocks.js";
import { once } from "../frame/sounds.js";

const place = () => document.getElementById("chats-now");
const template = (name) => document.querySelector(`template[data-${name}]`)?.content;

// For how many seconds a child waits for an answer; -1 if it does not.
export const waitsFor = (chat) => {
  const time = chat.querySelector("[data-waits-for] .time");
  return time ? counted(time) : -1;
};

// A new message is heard once, softly, while its reader is elsewhere.
let unread = 0;
const rises = (now, isDesk) => {
  if (now > unread && (document.hidden || !isDesk)) once("message");
  unread = now;
};

// "3 new", in the language of the page.
const newWords = (number) => {
  const known = [...(template("new-words")?.children ?? [])];
  const words = known[Math.min(number, known.length) - 1]?.textContent ?? String(number);
  return words.replace(/\d+/, number);
};

export const showNow = () => {
  const [bar, desk] = [place(), document.getElementById("chats")];
  if (!bar || !desk) return;
  const chats = [...desk.querySelectorAll(".chat")];
  const made = template("now-of-desk")?.firstElementChild?.cloneNode(true);
  if (!made || !chats.length) {
    bar.replaceChildren();
    rises(0, false);
    return;
  }
  const sum = chats.reduce((before, one) => before + Number(one.dataset.unread), 0);
  const waits = Math.max(...chats.map(waitsFor));
  made.dataset.unread = sum;
  made.querySelector("strong").textContent = chats.length;
  const [badge, time] = [made.querySelector(".unread"), made.querySelector(".time")];
  if (sum) badge.textContent = newWords(sum);
  else badge.remove();
  if (waits >= 0) time.dataset.up = waits;
  else time.remove();
  Idiomorph.morph(bar, made, { morphStyle: "innerHTML" });
  tick();
  rises(sum, true);
};

document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.target?.id !== "chats-now" || !document.getElementById("chats")) return;
  event.preventDefault();
  showNow();
});
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target?.id !== "chats-now") return;
  rises(Number(place().querySelector("[data-unread]")?.dataset.unread ?? 0), false);
});
