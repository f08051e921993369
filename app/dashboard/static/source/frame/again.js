// A page that could not be shown because the database was away asks by itself whether it is back: ever
// more rarely, and not for ever. Each page has a time of its own: not all ask together.
import { again, onPage } from "../pages.js";

const SLOWEST = 60_000; // milliseconds between two questions, at least, at the end
const MOST = 10; // times in a row
// Milliseconds without one after which it begins anew.
const FORGETS = 300_000;

// Without what was searched for: that may be the name of a child.
const name = () => `helpline-again ${location.pathname}`;
const done = () => {
  try {
    const { times, at } = JSON.parse(sessionStorage.getItem(name())) ?? {};
    return Date.now() - at < FORGETS ? times : 0;
  } catch {
    return 0;
  }
};
const note = (times) => {
  try {
    if (times) sessionStorage.setItem(name(), JSON.stringify({ times, at: Date.now() }));
    else sessionStorage.removeItem(name());
    return true;
  } catch {
    return false;
  }
};

const wait = (part, asked = 0) => {
  const least = Math.min(Number(part.dataset.again) * 1000 * 2 ** (done() + asked), SLOWEST);
  setTimeout(() => ask(part, asked + 1), least * (1 + Math.random()));
};
// A file is asked for first: a browser shows a page of its own, without this script, if the server is
// away. It is no sign of life of a counsellor.
const ask = async (part, asked) => {
  if (!part.isConnected) return;
  const answer = await fetch("/static/board.js", { method: "HEAD", cache: "no-store" }).catch(() => null);
  if (!part.isConnected) return;
  if (!answer || answer.status >= 500) wait(part, asked);
  // Where nothing can be counted it might go on for ever.
  else if (note(done() + 1)) again();
};

// A page is set up twice when it is loaded whole.
const known = new WeakSet();
onPage(() => {
  const parts = document.querySelectorAll("[data-again]");
  if (!parts.length) note(0);
  for (const part of parts) {
    if (known.has(part)) continue;
    known.add(part);
    if (done() < MOST) wait(part);
    else part.querySelector("[data-again-words]").hidden = true;
  }
});
