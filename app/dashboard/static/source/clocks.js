// Counts seconds up and down between two refreshes from the server.
import { _, locale } from "./words.js";
import { dayIn, isElsewhere, nameOf, zoneOf } from "./frame/zones.js";

const two = (n) => String(n).padStart(2, "0");
const words = (seconds) => {
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  if (hours < 1) return `${minutes}:${two(seconds % 60)}`;
  if (hours < 48) return _("%(hours)s h %(minutes)s min", { hours, minutes: two(minutes) });
  return _("%(days)s d %(hours)s h", { days: Math.floor(hours / 24), hours: hours % 24 });
};

// Since when a place counts, and from which number: a refresh may give it another.
const started = new WeakMap();

export const counted = (place) => {
  const { up, down } = place.dataset;
  const from = up ?? down;
  if (started.get(place)?.from !== from) started.set(place, { from, at: Date.now() });
  const gone = Math.floor((Date.now() - started.get(place).at) / 1000);
  return up === undefined ? Math.max(0, Number(down) - gone) : Number(up) + gone;
};

export const tick = () => {
  for (const place of document.querySelectorAll("[data-up], [data-down]")) {
    const seconds = counted(place);
    const said = words(seconds);
    if (place.tagName === "PROGRESS") place.value = seconds;
    // What is written again is laid out again.
    else if (place.textContent !== said) place.textContent = said;
  }
  for (const place of document.querySelectorAll("time[data-clock]:not([data-said])")) {
    const at = new Date(place.dateTime);
    const timeZone = zoneOf(place);
    const zone = isElsewhere(at, timeZone) ? { timeZoneName: "short" } : {};
    const today = dayIn(at, timeZone) === dayIn(new Date(), timeZone);
    const day = today ? {} : { day: "numeric", month: "short", year: "numeric" };
    const second = today ? { second: "2-digit" } : {};
    place.textContent = at.toLocaleString(locale, { ...day, hour: "2-digit", minute: "2-digit", ...second, ...zone, timeZone, hourCycle: "h23" });
    place.dataset.said = "yes";
  }
  for (const field of document.querySelectorAll("input[data-instant]")) {
    const [now, timeZone] = [new Date(), zoneOf(field)];
    if (!isElsewhere(now, timeZone) || field.nextElementSibling?.matches("[data-of-zone]")) continue;
    const small = Object.assign(document.createElement("small"), { textContent: nameOf(now, timeZone, locale) });
    small.dataset.ofZone = timeZone;
    field.after(small);
  }
};

setInterval(tick, 1000);
document.addEventListener("DOMContentLoaded", tick);
document.addEventListener("htmx:afterSwap", (event) => {
  // The server has said all numbers of the part anew, but for those that were kept.
  for (const place of event.detail.target?.querySelectorAll?.("[data-up], [data-down]") ?? []) {
    if (!place.closest("[data-kept]")) started.delete(place);
  }
  tick();
});
