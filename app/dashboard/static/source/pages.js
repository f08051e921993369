// Page changes inside the frame: the main part is swapped and the address follows, so that the
// frame, with the call and the live stream in it, stays. Downloads, other sites and links that open
// a window of their own are left to the browser.
import htmx from "htmx.org";
import { lost } from "./focus.js";
import { isOfAnother } from "./frame/own.js";
import { giveWay } from "./frame/signed_out.js";
import { elements, refuse } from "./live.js";
import { idle } from "./record.js";
import { _ } from "./words.js";

const framed = () => document.body.classList.contains("framed");
const ours = (url) => url.origin === location.origin && !url.pathname.startsWith("/api/") && !url.pathname.startsWith("/static/");

// A part of the page is set up when the page opens, and again after each page change.
const setups = [];
export const onPage = (act) => { setups.push(act); act(); };
const arrived = () => {
  for (const act of setups) act();
  const section = location.pathname.split("/")[1] || "desk";
  for (const link of document.querySelectorAll(".rail a")) {
    if (link.dataset.section === section) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
};

// One page after the other: the part that goes is that of the moment, and not of the click. Of clicks
// while a page is on its way, the last one counts; a form is always sent.
let newest = 0, onItsWay = Promise.resolve();
const load = (verb, address, options) => {
  const mine = newest;
  onItsWay = onItsWay.catch(() => {}).then(() => {
    if (verb === "GET" && mine !== newest) return undefined;
    return htmx.ajax(verb, address(), { target: "#main", select: "#main", ...options });
  });
  return onItsWay;
};

const toTop = "outerHTML show:window:top";
const swap = async (verb, address, options) => {
  // Save what is still being typed before its form goes.
  if (document.querySelector("[data-record]:not([data-closed], [data-preview])") && !(await idle())
    && !confirm(_("Part of the form is not saved yet. Leave it?"))) return;
  // Nothing is typed into a page that is about to go.
  const old = document.getElementById("main");
  old.inert = true;
  newest += 1;
  try {
    await load(verb, () => address, { swap: toTop, ...options });
  } finally {
    old.inert = false;
  }
};

export const open = (address) => {
  const url = new URL(address, location.href);
  if (!framed() || !ours(url)) return location.assign(url);
  return swap("GET", url.pathname + url.search, { push: url.pathname + url.search + url.hash });
};
// Sends values as a form of the page would.
export const post = (address, values) => swap("POST", address, { values });
// Draws the present page again, in place. It may do so by itself: the focus stays where it is.
const AGAIN = "again";
export const again = () => (framed()
  ? load("GET", () => location.pathname + location.search, { swap: "outerHTML", event: new Event(AGAIN) })
  : location.reload());

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href]");
  if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  if (!framed() || (link.target && link.target !== "_self") || link.hasAttribute("download")) return;
  const url = new URL(link.href, location.href);
  if (!ours(url) || (url.pathname === location.pathname && url.search === location.search && url.hash)) return;
  event.preventDefault();
  open(url);
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || !framed() || !form.closest("#main") || !form.hasAttribute("method") || "whole" in form.dataset) return;
  event.preventDefault();
  const action = event.submitter?.getAttribute("formaction") || form.getAttribute("action");
  const url = new URL(action || location.pathname, location.href);
  const values = new FormData(form, event.submitter);
  if (form.method === "get") {
    url.search = new URLSearchParams([...values].filter(([, value]) => value !== ""));
    open(url);
  } else swap("POST", url.pathname + url.search, { values });
});

// An error page is a page, too.
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target?.id === "main" && event.detail.xhr.status >= 400) event.detail.shouldSwap = true;
});
document.addEventListener("htmx:afterSwap", (event) => {
  // A record that was fetched into the page, beside the caller.
  if (event.detail.target?.matches?.(".writing")) return arrived();
  if (event.detail.target?.id !== "main") return;
  arrived();
  const { hash } = location;
  const aimed = hash && document.getElementById(hash.slice(1));
  if (aimed) {
    if (aimed.matches("details")) aimed.open = true;
    aimed.scrollIntoView();
  }
  if (event.detail.requestConfig?.triggeringEvent?.type === AGAIN && !lost()) return;
  // A ring keeps the focus, and so does the bar of a call for help that has it. Otherwise a screen
  // reader begins at the new page.
  if (document.querySelector("[data-ringing]") || document.activeElement?.closest("[data-help]")) return;
  const heading = document.querySelector("#main h1") ?? document.getElementById("main");
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
});
document.addEventListener("htmx:historyRestore", arrived);
// The page before this one is refused where another person is signed in: this one stays, and its address.
let shown = location.href;
for (const kind of ["htmx:pushedIntoHistory", "htmx:replacedInHistory", "htmx:historyRestore"]) {
  document.addEventListener(kind, () => { shown = location.href; });
}
document.addEventListener("htmx:historyCacheMissLoadError", ({ detail: { xhr } }) => {
  if (!isOfAnother(xhr)) return location.reload();
  history.pushState({ htmx: true }, "", shown);
  refuse(...elements(xhr.responseText));
  return giveWay();
});
document.addEventListener("DOMContentLoaded", arrived);
