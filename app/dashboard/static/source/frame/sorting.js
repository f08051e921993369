// Lists of names stand in the order of the reader's language: č after c, љ after л. The server sends
// them by their letters' numbers. `data-by-name` may say which children are sorted; the others stay
// behind them.
const { lang } = document.documentElement;
const collator = new Intl.Collator(lang, { numeric: true });
const nameOf = (one) => (one.querySelector(".who") ?? (one.matches("tr") ? one.cells[0] : one)).textContent.trim();
// The first choice of a select may be "nobody".
const isSorted = (one, which) => one.matches(which || "*") && !(one.matches("option") && one.value === "");

const sort = (list) => {
  const all = [...list.children].filter((one) => isSorted(one, list.dataset.byName));
  const sorted = all.toSorted((a, b) => collator.compare(nameOf(a), nameOf(b)));
  if (sorted.every((one, n) => one === all[n])) return;
  const chosen = list.value;
  const next = all.at(-1).nextSibling;
  for (const one of sorted) list.insertBefore(one, next);
  if (chosen !== undefined) list.value = chosen;
};
const sortAll = (root) => root.querySelectorAll("[data-by-name]").forEach(sort);

document.addEventListener("DOMContentLoaded", () => sortAll(document));
// Before it is swapped in: to move what is on the page already would take the focus from it.
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  if (!detail.serverResponse?.includes("data-by-name")) return;
  if (detail.serverResponse.includes("<html")) {
    const page = new DOMParser().parseFromString(detail.serverResponse, "text/html");
    sortAll(page);
    detail.serverResponse = page.documentElement.outerHTML;
    return;
  }
  // Rows without their table are kept by a template only.
  const parts = document.createElement("template");
  parts.innerHTML = detail.serverResponse;
  sortAll(parts.content);
  detail.serverResponse = parts.innerHTML;
});
sortAll(document);
