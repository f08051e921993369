// The calendar of the rota: a duty is dragged, or moved by keys, and sent as its form would be.
// Nothing is changed before the pointer is let go, or Enter is pressed.
import { post } from "../pages.js";
import { _ } from "../words.js";
import { firstEmpty, lengthFrom, openedAt } from "./empty.js";
import { DAY, HALF_HOUR, dayOf, minutesAt, minutesOf, people, snapped, table, timeOf, wallOf, xAt } from "./grid.js";

// Pixels at an edge that take hold of it, and pixels after which a press is a drag.
const EDGE = 8;
const DRAGS = 4;

// What is being changed: by the pointer or by keys, and nothing at any other time.
let moving = null;

const say = (words) => { const place = document.getElementById("rota-says"); if (place) place.textContent = words; };

const words = () => {
  const { person, from, until, gone } = moving;
  const values = { name: person.dataset.name, day: dayOf(from), begin: timeOf(from), end: timeOf(until) };
  if (gone) return _("%(name)s, %(day)s %(begin)s–%(end)s will be removed. Enter removes it, Escape keeps it.", values);
  return _("%(name)s, %(day)s %(begin)s–%(end)s. Enter saves, Escape gives it up.", values);
};

const draw = () => {
  const scroll = document.querySelector(".week-scroll");
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

// A new duty of a person, from its "+" or from a place that was clicked.
const beginNew = (person, from, add) => {
  moving = { person, add, from, until: from + lengthFrom(person, from) };
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
  const { part, person, pressed } = moving;
  giveUp();
  if (part !== "new") return;
  // A click on an empty place: a duty of the usual length.
  beginNew(person, openedAt(pressed.at));
  save();
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

// The first arrow shows a new duty at an empty place of the person; the next ones move it.
const placeNew = (add, held, act, event) => {
  if (held) act(event.shiftKey ? "end" : event.ctrlKey ? "beginning" : "both");
  else {
    giveUp();
    const person = add.closest("tbody[data-person]");
    beginNew(person, firstEmpty(person), add);
  }
  draw();
  say(words());
};

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && moving) { giveUp(); say(""); return; }
  const duty = event.target.closest?.("#calendar[data-plans] .duty[data-at]");
  const add = event.target.closest?.("#calendar[data-plans] .add");
  if ((!duty && !add) || event.altKey || event.metaKey) return;
  const held = moving && !moving.pressed && (duty ? moving.duty === duty : moving.add === add);
  if (event.key === "Enter" && held) {
    event.preventDefault();
    save();
    return;
  }
  const act = KEYS[event.key];
  if (!act || (add && event.key === "Delete")) return;
  event.preventDefault();
  if (add) return placeNew(add, held, act, event);
  if (!held) { giveUp(); begin(duty); }
  const begun = "begun" in duty.dataset;
  moving.gone = false;
  if (begun && event.key !== "Delete" && !event.key.startsWith("ArrowL") && !event.key.startsWith("ArrowR")) return giveUp();
  act(event.shiftKey || begun ? "end" : event.ctrlKey ? "beginning" : "both");
  draw();
  say(words());
});
// A duty that a colleague took away loses the focus too: what is said of it stays.
document.addEventListener("focusout", ({ target }) => queueMicrotask(() => {
  if (moving && !moving.pressed && target.isConnected && target === (moving.duty ?? moving.add)) { giveUp(); say(""); }
}));

// A colleague's change draws the calendar again: what is being changed here stays on it.
document.addEventListener("htmx:afterSwap", (event) => {
  if (!moving || event.detail.target?.id !== "calendar") return;
  const person = people().find((one) => one.dataset.person === moving.person.dataset.person);
  const duty = moving.duty && people().flatMap((one) => [...one.querySelectorAll(".duty[data-at]")])
    .find((one) => one.dataset.at === moving.duty.dataset.at);
  if (!person || (moving.duty && !duty)) {
    giveUp();
    say(_("Another person has changed this duty since you opened the page. Look at the rota as it is now."));
    return;
  }
  const add = moving.add && person.querySelector(".add");
  Object.assign(moving, { person, duty, add });
  duty?.setAttribute("data-moving", "");
  if (moving.ghost) draw();
});

// After a page change: back to the duty that was moved.
export const rota = () => {
  if (!wanted || !table()) { if (!document.getElementById("calendar")) wanted = null; return; }
  const { staff, from } = wanted;
  wanted = null;
  const duty = [...document.querySelectorAll(".duty[data-at]")].find((one) => one.dataset.staff === staff && one.dataset.from === from);
  setTimeout(() => { if (duty?.isConnected) duty.focus({ preventScroll: true }); });
};
