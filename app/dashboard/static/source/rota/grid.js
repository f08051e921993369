// The columns and rows of the calendar: where an instant stands on the page, and back.
export const HALF_HOUR = 30;
export const DAY = 1440;

export const table = () => document.getElementById("week");
export const days = () => [...table().querySelectorAll("th[data-day]")];
export const people = () => [...table().querySelectorAll("tbody[data-person]")];

// Wall-clock times are counted in minutes from the first midnight of the page.
export const minutesOf = (wall) => {
  const first = Date.parse(`${days()[0].dataset.day}T00:00Z`);
  return (Date.parse(`${wall}Z`) - first) / 60000;
};
export const wallOf = (minutes) => {
  const first = Date.parse(`${days()[0].dataset.day}T00:00Z`);
  return new Date(first + minutes * 60000).toISOString().slice(0, 16);
};
export const timeOf = (minutes) => wallOf(minutes).slice(11);
export const dayOf = (minutes) => days()[Math.floor(minutes / DAY)]?.firstChild.textContent.trim() ?? wallOf(minutes).slice(0, 10);

export const minutesAt = (x) => {
  const all = days();
  const n = all.findIndex((one) => x < one.getBoundingClientRect().right);
  const place = n < 0 ? all.length - 1 : n;
  const { left, width } = all[place].getBoundingClientRect();
  return place * DAY + Math.min(Math.max((x - left) / width, 0), 1) * DAY;
};
export const xAt = (minutes) => {
  const all = days();
  const n = Math.min(Math.max(Math.floor(minutes / DAY), 0), all.length - 1);
  const { left, width } = all[n].getBoundingClientRect();
  return left + Math.min(Math.max((minutes - n * DAY) / DAY, 0), 1) * width;
};
export const snapped = (minutes) => Math.round(minutes / HALF_HOUR) * HALF_HOUR;
