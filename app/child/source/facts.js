// What the server has written into the page, and what is asked of it.

export const facts = JSON.parse(document.getElementById("facts").textContent);

export const $ = (id) => document.getElementById(id);

/** Say a text of the child's language, with what is filled in. */
export function say(key, values = {}) {
  return facts.words[key].replace(/\{(\w+)\}/g, (all, name) => (name in values ? values[name] : all));
}

/** Show a text, or hide its place if there is none. What is there already is not said again. */
export function show(place, text) {
  if (place.textContent !== text) place.textContent = text;
  place.hidden = !text;
}

/** Show a text with a number that can be called by pressing it. */
export function showNumber(place, key) {
  const [before, after] = facts.words[key].split("{emergency}");
  const link = document.createElement("a");
  link.href = `tel:${facts.emergency}`;
  link.textContent = facts.emergency;
  link.dir = "ltr";
  place.textContent = "";
  place.appendChild(document.createTextNode(before));
  place.appendChild(link);
  place.appendChild(document.createTextNode(after || ""));
  place.hidden = false;
}

const DAY = 24 * 3600 * 1000;
const midnight = (at) => new Date(at.getFullYear(), at.getMonth(), at.getDate());

/** Say an instant of the near future as the language does: "tomorrow at 9:00". */
export function when(iso) {
  const { times } = facts;
  const at = new Date(iso);
  const time = `${at.getHours()}:${`0${at.getMinutes()}`.slice(-2)}`;
  const days = Math.round((midnight(at) - midnight(new Date())) / DAY);
  if (days === 0) return times.at.replace("{time}", time);
  if (days === 1 && time === "0:00") return times.midnight;
  if (days === 1) return times.tomorrow.replace("{time}", time);
  // Midnight is that of the day which ends then: by its own date a child would come a day late.
  if (time === "0:00") return times.midnight_on_day.replace("{day}", dayOf(times, at, days, 1));
  return times.on_day.replace("{day}", dayOf(times, at, days, 0)).replace("{time}", time);
}

/** Say a day, or the one before it: "on Friday" within the week, later "on 24 December". */
function dayOf(times, at, days, before) {
  const day = new Date(at.getFullYear(), at.getMonth(), at.getDate() - before);
  if (days - before < 7) return times.days[(day.getDay() + 6) % 7];
  return times.date.replace("{day}", day.getDate()).replace("{month}", times.months[day.getMonth()]);
}

/** Return seconds as whole minutes, at least one. */
export const minutes = (seconds) => Math.max(1, Math.round(seconds / 60));

/** Make a key by chance. */
export function aKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(24));
  return Array.prototype.map.call(bytes, (one) => `0${one.toString(16)}`.slice(-2)).join("");
}
