// The page "Sounds and devices": what this browser rings with, tried on the spot, and whether the
// system may show notifications.
import { onPage } from "../pages.js";
import { _ } from "../words.js";
import { canChooseRinger, choose, chosen, loudnessChosen, soundChosen, start } from "./sounds.js";

const STATES = {
  granted: _("Notifications are allowed in this browser."),
  denied: _("Notifications are blocked in this browser: a ring in a hidden tab is only heard. Allow them at the left of the address."),
  default: _("This browser has not been asked yet."),
  none: _("This browser shows no notifications to this page."),
};
export const permission = () => globalThis.Notification?.permission ?? "none";

let stop = null;
const ring = (page, on) => {
  stop?.();
  stop = on ? start(soundChosen()) : null;
  const button = page.querySelector("[data-sounds-try]");
  button.setAttribute("aria-pressed", String(on));
  button.textContent = on ? _("Stop") : _("Ring for a test");
};

const ringers = async (page) => {
  const list = page.querySelector("[name=ringer]");
  if (!canChooseRinger() || !navigator.mediaDevices) return;
  const found = (await navigator.mediaDevices.enumerateDevices()).filter((one) => one.kind === "audiooutput" && one.deviceId && one.label);
  list.replaceChildren(new Option(_("As the computer is set"), ""), ...found.map((one) => new Option(one.label, one.deviceId)));
  list.value = chosen("ringer");
  list.closest("label").hidden = found.length === 0;
};

const notes = (page) => {
  const place = (name) => page.querySelector(`[data-notes=${name}]`);
  const state = permission();
  place("state").textContent = STATES[state];
  place("ask").hidden = state !== "default";
  place("try").hidden = state !== "granted";
};

const set = (page) => {
  page.dataset.set = "yes";
  page.querySelector(`[name=sound][value=${soundChosen()}]`).checked = true;
  page.querySelector("[name=loudness]").value = loudnessChosen();
  const fallback = page.querySelector("[name=fallback]");
  if (fallback) fallback.value = chosen("fallback");
  page.addEventListener("change", ({ target }) => {
    if (!["sound", "loudness", "ringer", "fallback"].includes(target.name)) return;
    choose(target.name, target.value);
    page.querySelector("[data-sounds-says]").textContent = _("Kept in this browser.");
    // What rings now changes with the choice.
    if (stop) ring(page, true);
  });
  page.querySelector("[data-sounds-try]").addEventListener("click", () => ring(page, !stop));
  page.querySelector("[data-notes=ask]").addEventListener("click", async () => { await Notification.requestPermission(); notes(page); });
  page.querySelector("[data-notes=try]").addEventListener("click", () => {
    const note = new Notification(_("A call is waiting"), { tag: "test" });
    note.onclick = () => note.close();
  });
  ringers(page);
  notes(page);
};

onPage(() => {
  const page = document.querySelector("[data-sounds]");
  // The test ends when its page goes.
  if (stop && !page) { stop(); stop = null; }
  if (page && !page.dataset.set) set(page);
});

// Why a ring could not be shown or heard here is said in the menu of the reader's presence.
const trouble = () => {
  const place = document.getElementById("ring-trouble");
  if (!place) return;
  const words = [
    permission() === "denied" && STATES.denied,
    navigator.userActivation && !navigator.userActivation.hasBeenActive && _("Click anywhere in this page: until then the browser keeps a ring silent."),
  ].filter(Boolean);
  place.textContent = words.join(" ");
  place.hidden = words.length === 0;
};
document.addEventListener("htmx:afterSettle", (event) => { if (event.detail.target?.id === "frame") trouble(); });
document.addEventListener("click", () => setTimeout(trouble), { capture: true });
