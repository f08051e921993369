// Counts seconds up and down between two refreshes from the server.
import { _, locale } from "./words.js";

const two = (n) => String(n).padStart(2, "0");
const words = (seconds) => {
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  if (hours < 1) return `${minutes}:${two(seconds % 60)}`;
  if (hours < 48) return _("%(hours)s h %(minutes)s min", { hours, minutes: two(minutes) });
  return _("%(days)s days %(hours)s h", { days: Math.floor(hours / 24), hours: hours % 24 });
};

const started = new WeakMap();

const tick = () => {
  for (const place of document.querySelectorAll("[data-up], [data-down]")) {
    if (!started.has(place)) started.set(place, Date.now());
    const gone = Math.floor((Date.now() - started.get(place)) / 1000);
    const seconds = "up" in place.dataset
      ? Number(place.dataset.up) + gone
      : Math.max(0, Number(place.dataset.down) - gone);
    if (place.tagName === "PROGRESS") place.value = seconds;
    else place.textContent = words(seconds);
  }
  for (const place of document.querySelectorAll("time[data-clock]:not([data-said])")) {
    const at = new Date(place.dateTime);
    const today = at.toDateString() === new Date().toDateString();
    const day = today ? {} : { day: "numeric", month: "short", year: "numeric" };
    const second = today ? { second: "2-digit" } : {};
    place.textContent = at.toLocaleString(locale, { ...day, hour: "2-digit", minute: "2-digit", ...second, hourCycle: "h23" });
    place.dataset.said = "yes";
  }
};

setInterval(tick, 1000);
document.addEventListener("DOMContentLoaded", tick);
document.addEventListener("htmx:afterSwap", tick);
