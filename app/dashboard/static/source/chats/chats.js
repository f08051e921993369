// Written conversations: several side by side, or one at a time where there is no room. What is
// half-typed, the focus and the place in what was read outlive every refresh, and a reload.
import htmx from "htmx.org";
import { elements, refuse } from "../live.js";
import { fetchOwn } from "../frame/own.js";
import { choose, chosen } from "../frame/sounds.js";
import { openOutbox } from "../outbox.js";
import { onPage } from "../pages.js";
import { idle } from "../record.js";
import { showNow, waitsFor } from "./now.js";
import { apply, began, catchUp, followNews, isSeen } from "./news.js";

const all = () => [...document.querySelectorAll(".chat")];
const of = (id) => document.getElementById(`chat-${id}`);
const field = (chat) => chat?.querySelector("[data-draft]");
const post = (address, values) =>
  fetchOwn(address, { method: "POST", body: new URLSearchParams(values), keepalive: true }).catch(() => {});

// -- which one is open ------------------------------------------------------------------------

let shown = null;

const mark = () => {
  const chats = all();
  if (!of(shown)) shown = chats[0]?.dataset.chat ?? null;
  const first = chats.reduce((best, one) => (best && waitsFor(best) >= waitsFor(one) ? best : one), null);
  for (const chat of chats) {
    chat.toggleAttribute("data-shown", chat.dataset.chat === shown);
    chat.toggleAttribute("data-first", chat === first);
    chat.querySelector("[data-said]").setAttribute("aria-live", chat.dataset.chat === shown ? "polite" : "off");
  }
  for (const tab of document.querySelectorAll("[data-open-chat]")) {
    tab.setAttribute("aria-current", tab.dataset.openChat === shown);
  }
  for (const button of document.querySelectorAll("[data-enter-sends]")) button.setAttribute("aria-pressed", enterSends());
};

const open = (chat, focus = true) => {
  if (!chat) return;
  if (shown !== chat.dataset.chat) {
    shown = chat.dataset.chat;
    mark();
    toEnd(chat);
  }
  if (focus) field(chat)?.focus();
  see();
};

// A message is seen when it is before the eyes of its reader: in the conversation that has the focus,
// or in the only one that is in sight.
const told = new Map();
const see = () => {
  if (document.hidden || !document.hasFocus()) return;
  const visible = all().filter((one) => one.checkVisibility());
  for (const chat of visible) {
    const { chat: id, last, unread } = chat.dataset;
    const before = visible.length === 1 || chat.contains(document.activeElement);
    if (!before || unread === "0" || told.get(id) === last) continue;
    told.set(id, last);
    post(`/board/chats/${id}/seen`, { number: last }).then((answer) => { if (answer?.ok) isSeen(chat, last); });
  }
};

// -- writing ----------------------------------------------------------------------------------

const enterSends = () => chosen("enter") !== "line";

let outbox;
let opening = null;
const drafts = () => {
  const place = document.querySelector("[data-chat-outbox]");
  if (!place) return Promise.resolve(null);
  opening ??= openOutbox(place.dataset.chatOutbox, place.dataset.keyOfOutbox).then((made) => { outbox = made; return made; });
  return opening;
};

// What was half-typed before a reload. What belongs to no conversation any more is kept for a day.
const DAY = 24 * 3600 * 1000;
const restored = new WeakSet();
const restore = async () => {
  const fields = [...document.querySelectorAll("[data-draft]")].filter((one) => !restored.has(one));
  if (!fields.length) return;
  for (const one of fields) restored.add(one);
  const kept = await (await drafts())?.read() ?? {};
  for (const one of fields) {
    const draft = kept[one.dataset.draft];
    if (draft && one.value === "") one.value = draft.text;
  }
  for (const [id, draft] of Object.entries(kept)) if (!of(id) && Date.now() - draft.at > DAY) outbox?.drop(id, true);
};

const TYPES_EVERY = 3000;
const LETTERS_EVERY = 400;
const typed = new Map();
const timers = new Map();
const types = (id, values) => post(`/board/chats/${id}/typing`, values);
const readsLetters = (id) => Boolean(of(id)?.querySelector("[data-letters]"));

// A child who reads by the letter has the words soon after they are typed, and the last of them always.
const tellLetters = (id, place) => {
  if (timers.has(id)) return;
  timers.set(id, setTimeout(() => {
    timers.delete(id);
    typed.set(id, Date.now());
    types(id, place.value.trim() === "" ? { stopped: true } : { text: place.value });
  }, Math.max(0, (typed.get(id) ?? 0) + LETTERS_EVERY - Date.now())));
};
const tellNoMore = (id) => {
  clearTimeout(timers.get(id));
  timers.delete(id);
  if (readsLetters(id)) types(id, { stopped: true });
};
document.addEventListener("input", (event) => {
  const place = event.target.closest?.("[data-draft]");
  if (!place) return;
  const id = place.dataset.draft;
  if (place.value === "") outbox?.drop(id, true);
  else outbox?.put(id, { text: place.value, at: Date.now() });
  if (readsLetters(id)) {
    tellLetters(id, place);
    return;
  }
  const stopped = place.value.trim() === "";
  if (!stopped && Date.now() - (typed.get(id) ?? 0) < TYPES_EVERY) return;
  typed.set(id, stopped ? 0 : Date.now());
  types(id, stopped ? { stopped: true } : {});
});

// A message has a key, so that it is one message however often it is sent; other words are another.
const keys = new WeakMap();
const keyFor = (form, text) => {
  const before = keys.get(form);
  if (before?.text === text) return before.key;
  const key = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random().toString(36).slice(2)}`;
  keys.set(form, { text, key });
  return key;
};

let despite = null;
document.addEventListener("htmx:configRequest", (event) => {
  const form = event.target;
  if (!form.matches?.("form:has([data-client-key])")) return;
  const text = form.querySelector("textarea").value;
  event.detail.parameters.client_key = keyFor(form, text);
  if (form.closest(".chat")) event.detail.parameters.after = form.closest(".chat").dataset.last;
  if (despite === form.id) event.detail.parameters.despite = "true";
  despite = null;
});
document.addEventListener("htmx:confirm", (event) => {
  const form = event.target;
  if (form.matches?.("form[data-write-to]") && form.elements.text.value.trim() === "") event.preventDefault();
});
// What came of it stands in the conversation, and a refusal over the page.
document.addEventListener("htmx:afterRequest", (event) => {
  const { target: form, detail: { xhr } } = event;
  if (!form.matches?.(".chat form[data-write-to]") || xhr.status >= 500) return;
  refuse(...elements(xhr.responseText, xhr.status >= 400 ? "*" : "[data-refusal]"));
  for (const part of elements(xhr.responseText, "[data-chat-news]")) apply(part, began(xhr), "said");
});
document.addEventListener("htmx:afterRequest", (event) => {
  const form = event.target;
  if (!form.matches?.("form[data-write-to]") || event.detail.xhr.getResponseHeader("HX-Trigger") !== "chatSent") return;
  const place = form.elements.text;
  if (place.value === keys.get(form)?.text) {
    place.value = "";
    outbox?.drop(form.dataset.writeTo, true);
    tellNoMore(form.dataset.writeTo);
  }
  keys.delete(form);
  typed.delete(form.dataset.writeTo);
});

const insert = (place, text) => {
  const [from, to] = [place.selectionStart, place.selectionEnd];
  place.setRangeText(text, from, to, "end");
  place.dispatchEvent(new Event("input", { bubbles: true }));
  place.focus();
};

// -- keys and clicks --------------------------------------------------------------------------

const step = (by) => {
  const chats = all();
  const now = chats.findIndex((one) => one.dataset.chat === shown);
  open(chats[(now + by + chats.length) % chats.length]);
};

document.addEventListener("keydown", (event) => {
  if (event.altKey && ["PageDown", "PageUp"].includes(event.key) && all().length) {
    event.preventDefault();
    return step(event.key === "PageDown" ? 1 : -1);
  }
  const form = event.target.closest?.("form[data-write-to]");
  if (!form || !event.target.matches("textarea")) return undefined;
  if (event.key === "Enter" && !event.isComposing && !event.shiftKey && (enterSends() || event.ctrlKey)) {
    event.preventDefault();
    return form.requestSubmit();
  }
  // Out of the field, so that the letters of this conversation and of a ring can be used.
  if (event.key === "Escape") form.closest(".chat")?.focus();
  return undefined;
});

document.addEventListener("click", (event) => {
  const at = (selector) => event.target.closest(selector);
  const tab = at("[data-open-chat]");
  if (tab) open(of(tab.dataset.openChat));
  const text = at("[data-insert]");
  if (text) {
    const menu = text.closest("details");
    insert(field(text.closest(".chat")), text.dataset.insert);
    menu.open = menu.matches(".emoji");
  }
  if (at("[data-enter-sends]")) {
    choose("enter", enterSends() ? "line" : "");
    mark();
  }
  if (at("[data-close-ring]")) {
    const chat = at(".chat");
    at(".ring-form").replaceChildren();
    field(chat)?.focus();
  }
  const anyway = at("[data-despite]");
  if (anyway) {
    despite = anyway.dataset.despite;
    document.getElementById(despite)?.requestSubmit();
  }
  const form = at("[data-form]");
  if (form) openForm(form.dataset.form, true);
  if (at("[data-close-form]")) closeForm();
  const writes = at(".writes");
  if (writes && all().length) {
    event.preventDefault();
    event.stopPropagation();
    open(document.querySelector(".chat[data-first]"));
  }
}, true);
// A letter that leads into a conversation brings it to sight.
document.addEventListener("helpline:reveal", (event) => open(event.target.closest(".chat"), false));
document.addEventListener("focusin", (event) => {
  const chat = event.target.closest?.(".chat");
  if (chat) open(chat, false);
});
for (const kind of ["focus", "pointerdown"]) globalThis.addEventListener(kind, () => setTimeout(see));
document.addEventListener("visibilitychange", see);

// -- the form of the contact ------------------------------------------------------------------

const FORM = "helpline-chat-form";
const place = () => document.getElementById("chat-record");
const closeForm = async () => {
  if (place()?.querySelector("[data-record]")) await idle();
  sessionStorage.removeItem(FORM);
  place()?.querySelector(".record")?.remove();
  place()?.toggleAttribute("hidden", true);
  mark();
};

// One record at a time is written in a page: that of a call comes first.
const inCall = () => document.getElementById("live-call") !== null;
const openForm = async (contact, focus = false) => {
  if (!place() || inCall()) return;
  if (place().querySelector("[data-record]")) await idle();
  place().hidden = false;
  sessionStorage.setItem(FORM, contact);
  await htmx.ajax("GET", `/contacts/${contact}`, { target: "#chat-record", select: ".record", swap: "beforeend ignoreTitle:true" });
  if (focus) place().querySelector(".question :is(select, input, textarea)")?.focus();
};
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target?.id === "chat-record") place().querySelector(".record")?.remove();
});

const minded = () => {
  if (inCall() && place()?.querySelector("[data-record]")) return closeForm();
  const kept = sessionStorage.getItem(FORM);
  const there = kept && document.querySelector(`[data-form="${CSS.escape(kept)}"]`);
  if (there && place()?.hidden && !inCall()) return openForm(kept);
  return undefined;
};

// -- refreshes --------------------------------------------------------------------------------

const ends = new WeakMap();
const toEnd = (chat) => {
  const said = chat.querySelector("[data-said]");
  if (said) said.scrollTop = said.scrollHeight;
};
document.addEventListener("htmx:beforeSwap", () => {
  for (const said of document.querySelectorAll("[data-said]")) {
    ends.set(said, said.scrollHeight - said.scrollTop - said.clientHeight < 48);
  }
});
document.addEventListener("htmx:afterSwap", (event) => {
  const id = event.detail.target?.id ?? "";
  if (id === "frame") return minded();
  if (id !== "chats" && !id.startsWith("along-")) return undefined;
  mark();
  showNow();
  if (id === "chats" && event.detail.xhr) catchUp(event.detail.xhr);
  for (const said of document.querySelectorAll("[data-said]")) if (ends.get(said) ?? true) said.scrollTop = said.scrollHeight;
  for (const form of document.querySelectorAll(".ring-form:has(form)")) {
    if (/\/ring(\/|$)/.test(event.detail.requestConfig?.path ?? "") && event.detail.requestConfig.verb === "post") form.replaceChildren();
  }
  restore();
  see();
  return minded();
});

followNews(() => { mark(); see(); });

// -- reading along ----------------------------------------------------------------------------

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-read-along]");
  if (!button) return;
  const along = document.getElementById(button.dataset.readAlong);
  if (along.childElementCount) along.replaceChildren();
  else htmx.trigger(along, "read");
  button.setAttribute("aria-expanded", along.childElementCount === 0);
});
// The stream says when there is something new in a conversation that is read along.
document.addEventListener("helpline:topics", ({ detail: topics }) => {
  if (document.hidden) return;
  for (const along of document.querySelectorAll("[data-along]:not(:empty)")) {
    if (topics.includes("everything") || topics.includes(`chats:${along.dataset.along}`)) htmx.trigger(along, "read");
  }
});

onPage(() => { shown = null; mark(); restore(); showNow(); });
