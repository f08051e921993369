// The empty places of the calendar: where a new duty begins, and how long it is.
import { DAY, days, minutesAt, minutesOf, snapped, table } from "./grid.js";

const HOUR = 60;
// Where no duty on the page says otherwise.
const USUAL_LENGTH = 8 * HOUR;
const USUAL_BEGINNING = 8 * HOUR;
// Longer duties, as on-call phones have, are no example.
const LONGEST = 16 * HOUR;

const duties = () => [...table().querySelectorAll(".duty[data-from][data-until]")]
  .filter((one) => one.dataset.until)
  .map((one) => ({ from: minutesOf(one.dataset.from), until: minutesOf(one.dataset.until) }));
const mostOften = (all, otherwise) => {
  const times = new Map();
  for (const one of all) times.set(one, (times.get(one) ?? 0) + 1);
  return [...times].sort((one, other) => other[1] - one[1])[0]?.[0] ?? otherwise;
};
const usual = () => mostOften(duties().map(({ from, until }) => until - from).filter((one) => one > 0 && one <= LONGEST), USUAL_LENGTH);

// What stands in a person's row, absences too.
const taken = (person) => [...person.querySelectorAll(".duty")].map((one) => {
  const { left, right } = one.getBoundingClientRect();
  return { from: snapped(minutesAt(left)), until: snapped(minutesAt(right)) };
});

// The usual length, or less where the person's next duty begins earlier.
export const lengthFrom = (person, from) => {
  const next = taken(person).filter((one) => one.from > from).map((one) => one.from - from);
  return Math.min(usual(), ...next);
};

// Where a duty begins that is opened by a click: where another one begins or ends within an hour of
// the pointer, or else at the full hour.
export const openedAt = (at) => {
  const near = duties().flatMap(({ from, until }) => [from, until])
    .filter((one) => Math.abs(one - at) < HOUR)
    .sort((one, other) => Math.abs(one - at) - Math.abs(other - at));
  return near[0] ?? Math.floor(at / HOUR) * HOUR;
};

// The first place after today for a duty of the usual times: on a day on which the person does
// nothing yet, or else where there is room.
export const firstEmpty = (person) => {
  const all = days();
  const after = all.findIndex((one) => one.classList.contains("today")) + 1;
  const first = Math.min(after, all.length - 1);
  const length = usual();
  const begins = mostOften(duties().filter(({ from, until }) => until - from === length).map(({ from }) => ((from % DAY) + DAY) % DAY), USUAL_BEGINNING);
  const there = taken(person);
  const free = (from, until) => there.every((one) => one.until <= from || one.from >= until);
  const later = all.map((_day, n) => n).slice(first);
  const day = later.find((n) => free(n * DAY, (n + 1) * DAY) && free(n * DAY + begins, n * DAY + begins + length))
    ?? later.find((n) => free(n * DAY + begins, n * DAY + begins + length)) ?? first;
  return day * DAY + begins;
};
