// A ring reaches the counsellor on every page and in a hidden tab: by sound, title, icon,
// notification and vibration. It follows the live stream, since browsers slow timers of hidden tabs.
// A colleague's call for help reaches every supervisor in the same way, louder, and before a ring.
import { lost } from "./focus.js";
import { soundChosen, start, wake } from "./frame/sounds.js";
import { _ } from "./words.js";

const ICON = (colour) => `data:image/svg+xml,${encodeURIComponent(
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><circle cx="16" cy="16" r="14" fill="${colour}"/></svg>`)}`;

let playing = null;
let rung = null;
let note = null;
let title = null;
// Where the focus was before a ring took it.
let before = null;

const stop = () => {
  playing?.();
  playing = null;
  note?.close();
  note = null;
  if (navigator.userActivation?.hasBeenActive) navigator.vibrate?.(0);
};

const own = document.querySelector("link[rel=icon]").href;
const icon = (colour) => { document.querySelector("link[rel=icon]").href = colour ? ICON(colour) : own; };

// Nothing about the caller: a notification can be read on a locked screen.
const notify = (words) => {
  if (globalThis.Notification?.permission !== "granted" || !document.hidden) return;
  note = new Notification(words, { tag: "ring", requireInteraction: true });
  note.onclick = () => { globalThis.focus(); note?.close(); };
};

const look = () => {
  const help = document.querySelector("[data-panic]");
  const ringing = help ?? document.querySelector("[data-ringing]");
  const id = help?.dataset.panic ?? ringing?.dataset.ringing ?? null;
  if (id === rung) return;
  stop();
  if (rung === null) title = document.title;
  rung = id;
  if (!ringing) {
    document.title = title;
    icon(null);
    // The caller gave up, or another took the call: go on where the ring came in between.
    if (!document.getElementById("live-call") && before?.isConnected && lost()) before.focus();
    before = null;
    return;
  }
  // A child who writes rings, too: with another mark, another colour and another sound.
  const written = !help && ringing.dataset.sound === "written";
  const words = help?.dataset.panicTitle ?? (help ? _("A counsellor needs help – Helpline") : ringing.dataset.ringingTitle ?? _("Call waiting – Helpline"));
  document.title = `${help ? "⚠" : written ? "✎" : "☎"} ${words}`;
  icon(written ? "#0b5f86" : "#b00020");
  playing = start(help ? "help" : written ? "written" : soundChosen());
  notify(help?.dataset.panicWords ?? (help ? _("A counsellor needs a supervisor now") : ringing.dataset.ringingWords ?? _("A call is waiting")));
  if (navigator.userActivation?.hasBeenActive) navigator.vibrate?.([400, 200, 400, 200, 400]);
  // A box over the page would keep Accept out of reach; closed, it gives the focus back.
  for (const box of document.querySelectorAll("dialog[open]")) box.close();
  // The focus goes to Accept, but never out of a field in which the counsellor is writing.
  before ??= document.activeElement;
  if (!document.activeElement?.closest?.("input, textarea, select")) (document.getElementById("accept") ?? help?.querySelector("button"))?.focus();
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
