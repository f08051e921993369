// The focus is never lost by a refresh: when what held it is gone, it goes to what came in its place.
// It never lands on a button that acts, so that a second Enter does nothing to a child.
export const lost = () => {
  const one = document.activeElement;
  return !one || one === document.body || !one.checkVisibility();
};

// What held the focus: its letter, and the parts around it that have a name, the innermost first.
let held = null;
export const hold = (part) => {
  const one = document.activeElement;
  if (!part || part.id === "main" || !one || one === document.body || !part.contains(one)) return;
  const around = [];
  for (let place = one.parentElement; place && place !== document.body; place = place.parentElement) {
    if (place.id) around.push(place.id);
  }
  held = { key: one.dataset.key, around };
};
document.addEventListener("htmx:beforeSwap", (event) => hold(event.detail.target));

const settle = () => {
  if (!held || !lost()) return;
  const { key, around } = held;
  held = null;
  const place = around.map((id) => document.getElementById(id)).find((one) => one?.checkVisibility());
  if (!place) return;
  const same = key && place.querySelector(`[data-key="${CSS.escape(key)}"]`);
  if (same?.checkVisibility()) return same.focus();
  const next = [...place.querySelectorAll("[data-arrives]")].findLast((one) => one.checkVisibility()) ?? place;
  if (!next.matches("a[href], button, summary, input, select, textarea")) next.tabIndex = -1;
  next.focus({ preventScroll: next === place });
};
document.addEventListener("htmx:afterSettle", settle);
document.addEventListener("focusin", () => { held = null; });
