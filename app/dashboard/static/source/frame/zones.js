// Times are those of the helpline, or of the line or agency that a part of the page is about.
export const zoneOf = (place) => place.closest("[data-zone]")?.dataset.zone;

const FIELDS = { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };

// To make one costs more than to use it, and a page shows hundreds of times.
const formats = new Map();
const formatIn = (timeZone) => {
  if (!formats.has(timeZone)) formats.set(timeZone, new Intl.DateTimeFormat("en", { ...FIELDS, timeZone }));
  return formats.get(timeZone);
};

// The time that a clock on the wall shows, as if it were UTC: of the reader, or in a zone.
const wall = (at, timeZone) => {
  if (!timeZone) {
    const own = new Date(at);
    return Date.UTC(own.getFullYear(), own.getMonth(), own.getDate(), own.getHours(), own.getMinutes());
  }
  const parts = formatIn(timeZone).formatToParts(at);
  const { year, month, day, hour, minute } = Object.fromEntries(parts.map(({ type, value }) => [type, value]));
  return Date.UTC(year, month - 1, day, hour, minute);
};

// Whether the reader's own clock shows another time then.
export const isElsewhere = (at, timeZone) => timeZone && wall(at, timeZone) !== wall(at);

export const dayIn = (at, timeZone) => new Date(wall(at, timeZone)).toISOString().slice(0, 10);

// The instant of a wall time like 2026-11-24T18:30.
export const instantIn = (text, timeZone) => {
  if (!timeZone) return new Date(text);
  const wanted = Date.parse(`${text}Z`);
  const first = wanted - (wall(wanted, timeZone) - wanted);
  return new Date(first - (wall(first, timeZone) - wanted));
};

export const nameOf = (at, timeZone, locale) =>
  new Intl.DateTimeFormat(locale, { timeZone, timeZoneName: "short" }).formatToParts(at)
    .find((part) => part.type === "timeZoneName").value;
