// A ring reaches the counsellor on every page and in a hidden tab: by sound, title, icon,
// notification and vibration. It follows the live stream, since browsers slow timers of hidden tabs.
// A colleague's call for help reaches every supervisor in the same way, louder, and before a ring.
import { lost } from "./focus.js";
import { onAccept, showWithAccept, withdraw } from "./frame/notes.js";
import { fetchOwn } from "./frame/own.js";
import { choose, chosen, soundChosen, start, wake } from "./frame/sounds.js";
import { _ } from "./words.js";

const ICON = (colour) => `data:image/svg+xml,${encodeURIComponent(
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><circle cx="16" cy="16" r="14" fill="${colour}"/></svg>`)}`;

let playing = null;
let rung = null;
let note = null;
let title = null;
// The title that is shown meanwhile.
let told = null;
const entitle = (words) => {
  told = words;
  document.title = words;
};
// Where the focus was before a ring took it.
let before = null;

// What is said aloud, once, to a reader whose focus stays in a field. It stands outside of all parts
// that are fetched again; where the focus comes to a ring, the focus says it.
const aloud = (words) => {
  const place = document.getElementById("said");
  if (place && place.textContent !== words) place.textContent = words;
};
const wordsOf = (ringing) => ["#offer-title", "#offer-line"]
  .map((one) => ringing.querySelector(one)?.textContent.trim().replace(/\s+/g, " "))
  .filter(Boolean).join(": ");

// What is going to wake the reader's other browsers, by the offer.
const wakes = new Map();
// A ring that is not accepted here wakes the reader's other browsers, if they chose so in this one. A
// page that makes a sound is not slowed down.
const wakeOthers = (offer) => {
  const seconds = Number(chosen("fallback"));
  if (!seconds || wakes.has(offer)) return;
  wakes.set(offer, setTimeout(() => {
    fetchOwn("/sounds/push/ring", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ offer, here: chosen("push") || null }),
    }).catch(() => {});
  }, seconds * 1000));
};

const stop = () => {
  aloud("");
  notes = null;
  playing?.();
  playing = null;
  note?.close();
  note = null;
  withdraw();
  if (navigator.userActivation?.hasBeenActive) navigator.vibrate?.(0);
};

const own = document.querySelector("link[rel=icon]").href;
const icon = (colour) => { document.querySelector("link[rel=icon]").href = colour ? ICON(colour) : own; };

// What the system shows of the ring once its reader looks elsewhere.
let notes = null;
// Nothing about the caller: a notification can be read on a locked screen. A window in view may be
// behind the program that its reader works in. The permission is asked for last: the page waits for
// the answer of the browser.
const isAway = () => (document.hidden || !document.hasFocus()) && globalThis.Notification?.permission === "granted";
const notify = async (words, offer = null) => {
  if (!isAway()) return;
  notes = null;
  const mine = rung;
  if (offer && await showWithAccept(words, offer)) {
    if (rung !== mine) withdraw();
    return;
  }
  if (rung !== mine) return;
  note = new Notification(words, { tag: "ring", requireInteraction: true });
  note.onclick = () => { globalThis.focus(); note?.close(); };
};

// What calls or rings while something else makes the sound: its words and its notification, by its id.
const behind = new Map();
const notifyBehind = () => {
  if (!isAway()) return;
  for (const [id, one] of behind) {
    if (one.note) continue;
    one.note = new Notification(one.words, { tag: `ring-${id}`, requireInteraction: true });
    one.note.onclick = () => { globalThis.focus(); one.note.close(); };
  }
};
const lookedAway = () => {
  if (notes) notify(...notes);
  notifyBehind();
};
document.addEventListener("visibilitychange", lookedAway);
// Some browsers say only after this event that the focus is gone.
addEventListener("blur", () => setTimeout(lookedAway));
// Accept in the notification: as a click on Accept in this page.
onAccept((offer) => { if (offer === rung) document.getElementById("accept")?.click(); });

// What was seen in this browser rings no more in it.
const seen = () => chosen("seen").split(" ").filter(Boolean);
const see = (id) => { choose("seen", [...seen().slice(-50), id].join(" ")); look(); };
document.addEventListener("click", (event) => {
  const alert = event.target.closest(".alert-bar a, .alert-bar button")?.closest("[data-alert]");
  if (alert) see(alert.dataset.alert);
});
addEventListener("storage", (event) => { if (event.key === "helpline-seen") look(); });

const noteWords = ({ dataset }) => ("help" in dataset
  ? dataset.helpWords ?? _("A counsellor needs a supervisor now") : dataset.ringingWords ?? _("A call is waiting"));

// A supervisor has to see something soon: softly, without the focus, and never into a talk.
const tell = (alert) => {
  const words = alert.dataset.alertWords;
  entitle(`⚠ ${words}`);
  icon("#b45309");
  if (!document.getElementById("live-call")) playing = start("notice");
  notify(words);
};

const lookFirst = () => {
  // The bar, which has the button, before the telephone that rings for the same call for help.
  const help = document.querySelector("[data-help]:not(#telephone)") ?? document.querySelector("[data-help]");
  const ringing = help ?? document.querySelector("[data-ringing]");
  const known = ringing ? [] : seen();
  const alert = ringing ? null : [...document.querySelectorAll("[data-alert]")].find((one) => !known.includes(one.dataset.alert));
  const id = help?.dataset.help ?? ringing?.dataset.ringing ?? alert?.dataset.alert ?? null;
  if (id === rung) {
    // The page was changed meanwhile: its own title comes back afterwards.
    if (id !== null && document.title !== told) {
      title = document.title;
      entitle(told);
    }
    return;
  }
  stop();
  if (rung === null) title = document.title;
  rung = id;
  if (alert) return tell(alert);
  if (!ringing) {
    if (document.title === told) document.title = title;
    icon(null);
    // The caller gave up, or another took the call: go on where the ring came in between.
    if (!document.getElementById("live-call") && before?.isConnected && lost()) before.focus();
    before = null;
    return;
  }
  // A child who writes rings, too: with another mark, another colour and another sound.
  const written = !help && ringing.dataset.sound === "written";
  const words = help?.dataset.helpTitle ?? (help ? _("A counsellor needs help – Helpline") : ringing.dataset.ringingTitle ?? _("Call waiting – Helpline"));
  entitle(`${help ? "⚠" : written ? "✎" : "☎"} ${words}`);
  icon(written ? "#0b5f86" : "#b00020");
  playing = start(help ? "help" : written ? "written" : soundChosen());
  notes = [
    noteWords(ringing),
    help || !document.getElementById("accept") ? null : id,
  ];
  lookedAway();
  if (navigator.userActivation?.hasBeenActive) navigator.vibrate?.([400, 200, 400, 200, 400]);
  if (!help && document.getElementById("accept")) wakeOthers(id);
  // A box over the page would keep Accept out of reach; closed, it gives the focus back.
  for (const box of document.querySelectorAll("dialog[open]")) box.close();
  // The focus goes to Accept, but never out of a field in which the counsellor is writing.
  before ??= document.activeElement;
  if (document.activeElement?.closest?.("input, textarea, select")) aloud(help ? "" : wordsOf(ringing));
  else (document.getElementById("accept") ?? help?.querySelector("button"))?.focus();
};

// A call for help owns the sound, the title and the focus. An offer, and a second call for help, reach
// the reader all the same. The telephone only rings for what is in the page.
const lookBehind = (former) => {
  const all = new Map([...document.querySelectorAll("[data-help]:not(#telephone), [data-ringing]:not(#telephone)")]
    .map((one) => [one.dataset.help ?? one.dataset.ringing, one]));
  for (const [offer, timer] of wakes) {
    if (all.has(offer)) continue;
    clearTimeout(timer);
    wakes.delete(offer);
  }
  for (const [id, one] of behind) {
    if (all.has(id) && id !== rung) continue;
    one.note?.close();
    behind.delete(id);
    if (one.said && id !== rung) aloud("");
  }
  for (const [id, part] of all) {
    if (id === rung || behind.has(id)) continue;
    const offered = "ringing" in part.dataset;
    // A bar says itself; so did what rang before a call for help came.
    const said = offered && id !== former;
    behind.set(id, { words: noteWords(part), said });
    if (said) aloud(wordsOf(part));
    if (offered && document.getElementById("accept")) wakeOthers(id);
  }
  notifyBehind();
};

const look = () => {
  const former = rung;
  lookFirst();
  lookBehind(former);
};

document.addEventListener("htmx:afterSettle", look);
// The telephone in the page rings without a swap.
document.addEventListener("helpline:telephone", look);
document.addEventListener("htmx:afterSwap", look);
document.addEventListener("DOMContentLoaded", look);
// A page that was opened by a click may play sound and ask for notifications.
document.addEventListener("click", (event) => {
  wake();
  if (event.target.closest("#be-available") && globalThis.Notification?.permission === "default") Notification.requestPermission();
}, true);
