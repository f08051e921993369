// Translations by a machine, where the server has an engine: of each message under its words, and of what
// is about to be sent. They are in this page alone, and nowhere else.
import { fetchOwn } from "../frame/own.js";
import { elements } from "../live.js";
import { onPage } from "../pages.js";

// Messages in one request, and how long a silent engine is left alone, in milliseconds.
const MOST = 40;
const PAUSE = 20000;
const ON = "helpline-translated-chats";

const translated = new Map();
const asking = new Set();
const paused = new Map();
const on = () => new Set((sessionStorage.getItem(ON) ?? "").split(" ").filter(Boolean));
const place = (chat) => chat.querySelector("[data-translation-of]");
const isOf = (chat) => ({ id: chat.dataset.chat, isOn: on().has(chat.dataset.chat) });

const bubbles = (chat) => [...chat.querySelectorAll('.bubble:not([data-whisper]):is([data-by="child"], [data-by="counsellor"])')]
  .filter((one) => one.querySelector(".words"));

const show = (chat) => {
  const { id, isOn } = isOf(chat);
  const missing = [];
  for (const bubble of bubbles(chat)) {
    const there = bubble.querySelector("[data-translation]");
    const made = translated.get(`${id} ${bubble.dataset.number}`);
    if (!isOn) there?.remove();
    else if (made && !there) bubble.querySelector(".words").after(made.cloneNode(true));
    else if (!made) missing.push(bubble.dataset.number);
  }
  return missing;
};

const ask = async (chat) => {
  const { id } = isOf(chat);
  const missing = show(chat).slice(-MOST);
  if (!missing.length || asking.has(id) || (paused.get(id) ?? 0) > Date.now()) return;
  asking.add(id);
  try {
    const answer = await fetchOwn(`/board/chats/${id}/translations?numbers=${missing}`, { headers: { "HX-Request": "true" } });
    const html = answer.ok && !answer.redirected ? await answer.text() : "";
    for (const one of elements(html, "[data-translation]")) translated.set(`${id} ${one.dataset.translation}`, one);
    const trouble = elements(html, "[data-translation-trouble]")[0];
    if (trouble) place(chat)?.replaceChildren(trouble);
    else place(chat)?.querySelector("[data-translation-trouble]")?.remove();
    // What the engine did not answer is asked for again, and not at once.
    if (missing.some((number) => !translated.has(`${id} ${number}`))) {
      paused.set(id, Date.now() + PAUSE);
      setTimeout(draw, PAUSE);
    }
  } catch { /* the stream says when nothing is current */ } finally {
    asking.delete(id);
  }
  const now = document.getElementById(`chat-${id}`);
  if (now) ask(now);
};

const draw = () => {
  for (const chat of document.querySelectorAll(".chat:has([data-translate])")) {
    const { isOn } = isOf(chat);
    const button = chat.querySelector("[data-translate]");
    if (button.getAttribute("aria-pressed") !== String(isOn)) button.setAttribute("aria-pressed", isOn);
    const preview = chat.querySelector("[data-preview]");
    if (preview.hidden === isOn) preview.hidden = !isOn;
    if (isOn) ask(chat);
    else show(chat);
  }
};

const toggle = (chat) => {
  const chosen = on();
  if (!chosen.delete(chat.dataset.chat)) chosen.add(chat.dataset.chat);
  sessionStorage.setItem(ON, [...chosen].join(" "));
  place(chat).replaceChildren();
  paused.delete(chat.dataset.chat);
  draw();
};

const preview = async (chat) => {
  const text = chat.querySelector("[data-draft]").value;
  if (text.trim() === "") return;
  const body = new URLSearchParams({ text });
  const answer = await fetchOwn(`/board/chats/${chat.dataset.chat}/translation`, { method: "POST", body }).catch(() => null);
  if (answer?.ok && !answer.redirected) place(chat).replaceChildren(...elements(await answer.text(), ".preview, [data-translation-trouble]"));
};

document.addEventListener("click", (event) => {
  const chat = event.target.closest(".chat");
  if (!chat) return;
  if (event.target.closest("[data-translate]")) toggle(chat);
  if (event.target.closest("[data-preview]")) preview(chat);
  if (event.target.closest("[data-use-translation]")) {
    const field = chat.querySelector("[data-draft]");
    field.value = place(chat).querySelector("[data-made]").textContent;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    place(chat).querySelector("[data-use-translation]").remove();
    field.focus();
  }
});
// What was sent, or deleted, is not before it is sent any more.
document.addEventListener("htmx:afterRequest", (event) => {
  const chat = event.target.matches?.("form[data-write-to]") && event.target.closest(".chat");
  if (chat && event.detail.xhr.getResponseHeader("HX-Trigger") === "chatSent") place(chat)?.querySelector(".preview")?.remove();
});

let timer = null;
const soon = () => {
  clearTimeout(timer);
  timer = setTimeout(draw, 50);
};
let seen = null;
onPage(() => {
  const chats = document.getElementById("chats");
  seen?.disconnect();
  if (!chats) return;
  seen = new MutationObserver(soon);
  seen.observe(chats, { childList: true, subtree: true });
  draw();
});
