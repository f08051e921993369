// The calendar of the rota: a duty is dragged, or moved by keys, and sent as its form would be.
// Nothing is changed before the pointer is let go, or Enter is pressed.
import { post } from "../pages.js";
import { _ } from "../words.js";

const HALF_HOUR = 30;
const DAY = 1440;
// Pixels at an edge that take hold of it, and pixels after which a press is a drag.
const EDGE = 8;
const DRAGS = 4;

// What is being changed: by the pointer or by keys, and nothing at any other time.
let moving = null;

const table = () => document.getElementById("week");
const days = () => [...table().querySelectorAll("th[data-day]")];
const people = () => [...table().querySelectorAll("tbody[data-person]")];
const say = (words) => { const place = document.getElementById("rota-says"); if (place) place.textContent = words; };

// Wall-clock times are counted in minutes from the first midnight of the page.
const minutesOf = (wall) => {
  const first = Date.parse(`${days()[0].dataset.day}T00:00Z`);
  return (Date.parse(`${wall}Z`) - first) / 60000;
};
const wallOf = (minutes) => {
  const first = Date.parse(`${days()[0].dataset.day}T00:00Z`);
  return new Date(first + minutes * 60000).toISOString().slice(0, 16);
};
const timeOf = (minutes) => wallOf(minutes).slice(11);
const dayOf = (minutes) => days()[Math.floor(minutes / DAY)]?.firstChild.textContent.trim() ?? wallOf(minutes).slice(0, 10);

const minutesAt = (x) => {
  const all = days();
  const n = all.findIndex((one) => x < one.getBoundingClientRect().right);
  const place = n < 0 ? all.length - 1 : n;
  const { left, width } = all[place].getBoundingClientRect();
  return place * DAY + Math.min(Math.max((x - left) / width, 0), 1) * DAY;
};
const xAt = (minutes) => {
  const all = days();
  const n = Math.min(Math.max(Math.floor(minutes / DAY), 0), all.length - 1);
  const { left, width } = all[n].getBoundingClientRect();
  return left + Math.min(Math.max((minutes - n * DAY) / DAY, 0), 1) * width;
};
const snapped = (minutes) => Math.round(minutes / HALF_HOUR) * HALF_HOUR;

const words = () => {
  const { person, from, until, gone } = moving;
  const values = { name: person.dataset.name, day: dayOf(from), begin: timeOf(from), end: timeOf(until) };
  if (gone) return _("%(name)s, %(day)s %(begin)s–%(end)s will be removed. Enter removes it, Escape keeps it.", values);
  return _("%(name)s, %(day)s %(begin)s–%(end)s. Enter saves, Escape gives it up.", values);
};

const draw = () => {
  const scroll = document.querySelector(".week-scroll");
  // A refresh by a colleague's change takes it away.
  if (!moving.ghost?.isConnected) moving.ghost = scroll.appendChild(Object.assign(document.createElement("div"), { className: "ghost" }));
  moving.ghost.ariaHidden = "true";
  const { ghost, person, from, until } = moving;
  const around = scroll.getBoundingClientRect();
  const row = person.getBoundingClientRect();
  const left = xAt(from);
  ghost.style.left = `${left - around.left + scroll.scrollLeft}px`;
  ghost.style.width = `${Math.max(xAt(until) - left, 3)}px`;
  ghost.style.top = `${row.top - around.top + scroll.scrollTop + 4}px`;
  ghost.style.height = `${row.height - 8}px`;
  ghost.textContent = `${timeOf(from)}–${timeOf(until)}`;
  ghost.toggleAttribute("data-gone", Boolean(moving.gone));
};

const begin = (duty) => {
  const person = people().find((one) => one.dataset.person === duty.dataset.staff);
  moving = { duty, person, from: minutesOf(duty.dataset.from), until: minutesOf(duty.dataset.until) };
  duty.setAttribute("data-moving", "");
};

const giveUp = () => {
  if (!moving) return;
  moving.ghost?.remove();
  moving.duty?.removeAttribute("data-moving");
  moving = null;
};

// Where the focus goes once the page shows what was done.
let wanted = null;

const save = () => {
  const { duty, person, from, until, gone } = moving;
  const values = { staff_id: person.dataset.person, from_at: wallOf(from), until_at: wallOf(until), layer: duty?.dataset.layer ?? "primary" };
  const same = duty && !gone && values.staff_id === duty.dataset.staff && values.from_at === duty.dataset.from
    && values.until_at === duty.dataset.until;
  giveUp();
  if (same) return;
  wanted = { staff: values.staff_id, from: values.from_at };
  if (!duty) return post("/roster/duty/new", values);
  return post("/roster/duty", { ...values, was: duty.dataset.at, act: gone ? "remove" : "save" });
};

// -- the pointer ---------------------------------------------------------------------------

const holds = (event, duty) => {
  const { left, right, width } = duty.getBoundingClientRect();
  if (width < EDGE * 3) return "whole";
  if (event.clientX > right - EDGE) return "end";
  return event.clientX < left + EDGE && !("begun" in duty.dataset) ? "beginning" : "whole";
};

document.addEventListener("pointerdown", (event) => {
  if (event.button || event.pointerType === "touch" || !event.target.closest("#calendar[data-plans] #week")) return;
  const duty = event.target.closest(".duty[data-at]");
  const person = event.target.closest("tbody[data-person]");
  if (!person || (!duty && (event.target.closest(".duty") || !event.target.closest("td")))) return;
  giveUp();
  if (duty) {
    begin(duty);
    moving.part = "begun" in duty.dataset ? "end" : holds(event, duty);
  } else {
    const at = Math.floor(minutesAt(event.clientX) / HALF_HOUR) * HALF_HOUR;
    moving = { person, part: "new", from: at, until: at + HALF_HOUR };
    event.preventDefault();
  }
  Object.assign(moving, { pressed: { x: event.clientX, y: event.clientY, at: minutesAt(event.clientX) }, was: { from: moving.from, until: moving.until } });
});

document.addEventListener("pointermove", (event) => {
  if (!moving?.pressed) return;
  const { pressed, was, part } = moving;
  if (!moving.dragged && Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y) < DRAGS) return;
  moving.dragged = true;
  const at = snapped(minutesAt(event.clientX));
  if (part === "new") {
    moving.from = Math.min(was.from, at);
    moving.until = Math.max(was.until, at);
  } else if (part === "end") moving.until = Math.max(at, moving.from + HALF_HOUR);
  else if (part === "beginning") moving.from = Math.min(at, moving.until - HALF_HOUR);
  else {
    const by = snapped(minutesAt(event.clientX) - pressed.at);
    Object.assign(moving, { from: was.from + by, until: was.until + by });
    const over = people().find((one) => event.clientY < one.getBoundingClientRect().bottom) ?? people().at(-1);
    moving.person = over;
  }
  draw();
});

document.addEventListener("pointerup", () => {
  if (!moving?.pressed) return;
  if (moving.dragged) return save();
  giveUp();
});
document.addEventListener("pointercancel", giveUp);
// A link would be dragged as an address, and a press that was a drag is no click.
document.addEventListener("dragstart", (event) => { if (event.target.closest?.(".duty[data-at]")) event.preventDefault(); });
let draggedAt = 0;
document.addEventListener("pointerup", () => { if (moving?.dragged) draggedAt = Date.now(); }, true);
document.addEventListener("click", (event) => {
  if (event.target.closest(".duty") && Date.now() - draggedAt < 300) { event.preventDefault(); event.stopPropagation(); }
}, true);

// -- keys ----------------------------------------------------------------------------------

const shift = (by, which) => {
  if (which !== "end") moving.from += by;
  if (which !== "beginning") moving.until += by;
  if (moving.until - moving.from < HALF_HOUR) {
    if (which === "end") moving.until = moving.from + HALF_HOUR;
    else moving.from = moving.until - HALF_HOUR;
  }
};

const toPerson = (by) => {
  const all = people();
  const n = Math.min(Math.max(all.indexOf(moving.person) + by, 0), all.length - 1);
  moving.person = all[n];
};

const KEYS = {
  ArrowLeft: (which) => shift(-HALF_HOUR, which),
  ArrowRight: (which) => shift(HALF_HOUR, which),
  ArrowUp: () => toPerson(-1),
  ArrowDown: () => toPerson(1),
  PageUp: () => shift(-DAY),
  PageDown: () => shift(DAY),
  Delete: () => { moving.gone = true; },
};

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && moving) { giveUp(); say(""); return; }
  const duty = event.target.closest?.("#calendar[data-plans] .duty[data-at]");
  if (!duty || event.altKey || event.metaKey) return;
  if (event.key === "Enter" && moving?.duty === duty && !moving.pressed) {
    event.preventDefault();
    save();
    return;
  }
  const act = KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  if (moving?.duty !== duty) { giveUp(); begin(duty); }
  const begun = "begun" in duty.dataset;
  moving.gone = false;
  if (begun && event.key !== "Delete" && !event.key.startsWith("ArrowL") && !event.key.startsWith("ArrowR")) return giveUp();
  act(event.shiftKey || begun ? "end" : event.ctrlKey ? "beginning" : "both");
  draw();
  say(words());
});
document.addEventListener("focusout", (event) => { if (moving && !moving.pressed && event.target === moving.duty) { giveUp(); say(""); } });

// After a page change: back to the duty that was moved.
export const rota = () => {
  if (!wanted || !table()) { if (!document.getElementById("calendar")) wanted = null; return; }
  const { staff, from } = wanted;
  wanted = null;
  const duty = [...document.querySelectorAll(".duty[data-at]")].find((one) => one.dataset.staff === staff && one.dataset.from === from);
  setTimeout(() => { if (duty?.isConnected) duty.focus({ preventScroll: true }); });
};
