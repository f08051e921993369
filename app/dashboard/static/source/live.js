// The live stream names changed topics; each part of the page that shows one fetches it again. What
// many readers see alike comes in the stream itself: such a part says so in `data-pushed`.
import htmx from "htmx.org";
import { hold } from "./focus.js";
import { isRefused } from "./frame/current.js";
import { isOfAnother, me } from "./frame/own.js";
import { giveWay, isSignedOut, stays } from "./frame/signed_out.js";
import { _ } from "./words.js";

const say = (words, well) => {
  const place = document.getElementById("connection");
  if (!place) return;
  place.textContent = words;
  place.dataset.well = well;
};

// Milliseconds. On a busy line most changes concern other people: a part names in `data-topics` what
// it shows at once, in `data-soon` what it shows at most once a second, and in `data-later` what may
// wait, each page for a time of its own, so that not all pages ask together.
const SOON = 1000;
const LATER = 60000;
const refreshed = new WeakMap();
const waiting = new WeakMap();

const now = (part) => {
  clearTimeout(waiting.get(part)?.timer);
  waiting.delete(part);
  refreshed.set(part, Date.now());
  if (part.isConnected) htmx.trigger(part, "refresh");
};

const within = (part, milliseconds) => {
  const at = Date.now() + milliseconds;
  const before = waiting.get(part);
  if (before && before.at <= at) return;
  clearTimeout(before?.timer);
  waiting.set(part, { at, timer: setTimeout(() => now(part), milliseconds) });
};

// What a part names in `data-told`, a script of its own follows.
const NAMES = ["topics", "soon", "later", "told"];
const named = (part, name) => (part.dataset[name] ?? "").split(" ").filter(Boolean);

const PUSHED = "[data-pushed]";
// Fetch the parts that the stream brings, if it should not.
const fetchPushed = () => { for (const part of document.querySelectorAll(PUSHED)) now(part); };

const refresh = (topics) => {
  document.dispatchEvent(new CustomEvent("helpline:topics", { detail: topics }));
  const some = (part, name) => named(part, name).some((topic) => topics.includes(topic));
  for (const part of document.querySelectorAll("[data-topics]")) {
    if (topics.includes("everything") || some(part, "topics")) now(part);
    else if (some(part, "soon")) {
      const passed = Date.now() - (refreshed.get(part) ?? 0);
      if (passed >= SOON) now(part);
      else within(part, SOON - passed);
    } else if (some(part, "later")) within(part, LATER * (1 + Math.random()));
  }
};

// Whether another person has signed in, and this page stays for its call: what it would fetch is not its own.
let isOthers = false;
const refreshAll = () => {
  if (isOthers) return;
  fetchPushed();
  refresh(["everything"]);
};

// The last content of each part, without the counting seconds. A part with the same content is
// not replaced: the focus stays, and no button is replaced during a click.
const shown = new WeakMap();
const plain = (html) => {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  return holder.innerHTML.replace(/ (data-up|data-down|value|max)="\d*"/g, "");
};

// From which time on a part shows what the server has, in milliseconds. What the stream brings is as new
// as its arrival; a response is only as new as the beginning of its request.
const newAs = new WeakMap();
// Requests whose response may be older than what their part showed.
const late = new WeakSet();
const show = ({ address: from, html }) => {
  for (const part of document.querySelectorAll(PUSHED)) {
    if (part.getAttribute("hx-get") !== from) continue;
    newAs.set(part, Date.now());
    const text = plain(html);
    if (shown.get(part) === text) continue;
    shown.set(part, text);
    hold(part);
    htmx.swap(part, html, { swapStyle: "morph:innerHTML", swapDelay: 0, settleDelay: 0 },
      { contextElement: part, eventInfo: { target: part } });
  }
};

// A refusal stays until its reader clicks it, acts again or opens another page.
export const refuse = (...notices) => {
  document.getElementById("refused")?.replaceChildren(...notices);
  for (const notice of notices) {
    notice.classList.add("floating");
    notice.setAttribute("data-dismiss", "");
  }
};
export const elements = (html, selector = "*") => {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  return selector === "*" ? holder.content.children : holder.content.querySelectorAll(selector);
};

// What was sent for another person than the one of this page changes nothing in it but says so.
document.addEventListener("htmx:beforeOnLoad", (event) => {
  const { requestConfig, target, xhr } = event.detail;
  if (!isOfAnother(xhr)) return;
  event.preventDefault();
  // A part asks by itself.
  if (requestConfig.verb !== "get" || !isPart(target)) refuse(...elements(xhr.responseText));
  // Nothing comes into what its reader has opened.
  if (target?.querySelector(".skeleton")) target.closest("details")?.removeAttribute("open");
  giveWay();
});

const began = new WeakMap();
document.addEventListener("htmx:beforeSend", (event) => began.set(event.detail.xhr, Date.now()));
const isPart = (target) => Boolean(target?.dataset?.topics) || target?.matches?.(PUSHED);

document.addEventListener("htmx:beforeSwap", (event) => {
  const { target, serverResponse, requestConfig, xhr } = event.detail;
  if (xhr.status >= 400 && xhr.status < 500 && requestConfig.verb === "post") {
    // Show a refusal in the place of the response; but never in the place of the call bar or the desk.
    if (isPart(target)) refuse(...elements(serverResponse));
    else event.detail.shouldSwap = true;
  }
  if (!isPart(target) || xhr.status >= 400) return;
  const asked = began.get(xhr) ?? 0;
  if ((newAs.get(target) ?? 0) > asked) {
    // What is shown may be newer. If not, the stream brings the next change; and where it brings no
    // part but the names of topics, the part is fetched after the swap.
    if (requestConfig.verb === "get" || target.matches(PUSHED)) {
      event.detail.shouldSwap = false;
      if (requestConfig.verb === "post") refuse(...elements(serverResponse, "[data-refusal]"));
      return;
    }
    late.add(xhr);
  } else newAs.set(target, asked);
  const html = plain(serverResponse);
  if (requestConfig.verb === "get" && shown.get(target) === html) event.detail.shouldSwap = false;
  shown.set(target, html);
});

document.addEventListener("htmx:beforeSend", (event) => {
  if (event.detail.requestConfig.verb === "post" || event.detail.target?.id === "main") refuse();
});
// A refusal that came inside a part would go with the next refresh of the part, perhaps unread.
document.addEventListener("htmx:afterSwap", (event) => {
  const { target, requestConfig, xhr } = event.detail;
  if (requestConfig?.verb !== "post" || !isPart(target)) return;
  refuse(...target.querySelectorAll("[data-refusal]"));
  if (late.has(xhr)) now(target);
});

// Milliseconds without a word from the server after which nothing on the page counts as current.
const SILENCE = 5000;

// Say across the top that nothing is current, and refuse clicks that would act on old rows.
const stale = (is) => {
  const place = document.getElementById("stale");
  if (!place || is === !place.hidden) return;
  place.hidden = !is;
  place.textContent = is ? _("Not connected: nothing here is current. What you type is kept.") : "";
  document.body.toggleAttribute("data-stale", is);
  if (is) return say(`○ ${_("not connected")}`, false);
  say(`● ${_("live")}`, true);
  // What the telephone said meanwhile did not arrive: without it no call would be offered.
  return document.dispatchEvent(new Event("helpline:report"));
};
document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.requestConfig.verb !== "get" && isRefused()) event.preventDefault();
});

let source;
let address;
// The stream tells this page of these topics alone. They only grow: a page change opens the stream
// anew once for each kind of page.
const asked = new Set(["team_messages"]);
// Those that no part shows sooner than `data-later`, and the addresses of the parts that it brings.
const soonest = new Set(asked);
const brought = new Set();
// The conversations that are read along on this page.
let along = new Set();
const readsMore = () => {
  const open_ = [...document.querySelectorAll("[data-along]:not(:empty)")].map((one) => one.dataset.along);
  if (open_.every((id) => along.has(id))) return false;
  along = new Set(open_);
  return true;
};

const askForAll = () => {
  const more = readsMore();
  const before = asked.size + soonest.size + brought.size;
  for (const part of document.querySelectorAll("[data-topics]")) {
    for (const name of NAMES) for (const topic of named(part, name)) {
      asked.add(topic);
      if (name !== "later") soonest.add(topic);
    }
  }
  for (const part of document.querySelectorAll(PUSHED)) brought.add(part.getAttribute("hx-get"));
  return more || asked.size + soonest.size + brought.size > before;
};
let lastWord = Date.now();
let lastTopics = Date.now();
// Milliseconds until a refused stream is opened again: later, where the page is another person's.
const OPENS_AGAIN = 1500;
const OPENS_LATER = 15_000;

const open = () => {
  source?.close();
  askForAll();
  const url = new URL(address, location.href);
  url.searchParams.set("topics", [...asked].join());
  url.searchParams.set("later", [...asked].filter((topic) => !soonest.has(topic)).join());
  url.searchParams.set("parts", [...brought].join());
  url.searchParams.set("along", [...along].join());
  url.searchParams.set("me", me);
  source = new EventSource(url);
  const mine = source;
  source.onopen = () => { lastWord = Date.now(); isOthers = false; stays(); stale(false); say(`● ${_("live")}`, true); };
  source.onmessage = (event) => {
    lastWord = Date.now();
    lastTopics = lastWord;
    stale(false);
    const { topics, chats } = JSON.parse(event.data);
    refresh(topics);
    if (topics.includes("chats:me")) document.dispatchEvent(new CustomEvent("helpline:chats", { detail: chats ?? null }));
  };
  source.addEventListener("part", (event) => {
    lastWord = Date.now();
    lastTopics = lastWord;
    stale(false);
    show(JSON.parse(event.data));
  });
  source.addEventListener("beat", () => { lastWord = Date.now(); stale(false); });
  source.onerror = () => {
    if (!document.body.hasAttribute("data-stale")) say(`○ ${_("reconnecting…")}`, false);
    // A closed source does not reconnect by itself: the server responded with an error.
    // If the session has ended, the first part that is fetched leads to the sign-in.
    if (mine.readyState !== EventSource.CLOSED) return;
    giveWay().then((is) => { isOthers = is; refreshAll(); });
    setTimeout(() => { if (mine === source && !isSignedOut()) open(); }, isOthers ? OPENS_LATER : OPENS_AGAIN);
  };
};

const watch = () => {
  setInterval(() => { if (Date.now() - lastWord > SILENCE) stale(true); }, 1000);
  // A net, if the stream should ever miss a change. Each page has a time of its own.
  setInterval(() => {
    if (Date.now() - lastTopics > 10000) refreshAll();
  }, 45000 + 15000 * Math.random());
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) refreshAll();
  });
};

document.addEventListener("helpline:signed-in", () => {
  refreshAll();
  if (address) open();
});
document.addEventListener("htmx:afterSettle", () => { if (address && askForAll()) open(); });

// Listen to one stream: that of the record in the page if there is one, which brings the rest, too.
export const listen = (url) => {
  if (url === address) return;
  if (!address) watch();
  address = url;
  open();
};
