// Lists of names stand in the order of the reader's language: č after c, љ after л. The server sends
// them by their letters' numbers.
const { lang } = document.documentElement;
const collator = new Intl.Collator(lang, { numeric: true });
const nameOf = (one) => (one.matches("tr") ? one.cells[0] : one).textContent.trim();

const sort = (list) => {
  // The first choice of a select may be "nobody".
  const all = [...list.children].filter((one) => !(one.matches("option") && one.value === ""));
  const sorted = all.toSorted((a, b) => collator.compare(nameOf(a), nameOf(b)));
  if (sorted.every((one, n) => one === all[n])) return;
  const chosen = list.value;
  list.append(...sorted);
  if (chosen !== undefined) list.value = chosen;
};
const sortAll = () => document.querySelectorAll("[data-by-name]").forEach(sort);

document.addEventListener("DOMContentLoaded", sortAll);
document.addEventListener("htmx:afterSwap", sortAll);
sortAll();
