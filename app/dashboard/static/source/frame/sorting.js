// Lists of names stand in the order of the reader's language: č after c, љ after л. The server sends
// them by their letters' numbers. `data-by-name` may say which children are sorted; the others stay
// behind them. In a list `data-by-tree` a name with dashes before it is below the one before it: each
// level is sorted, and what is below a name stays there.
const { lang } = document.documentElement;
const collator = new Intl.Collator(lang, { numeric: true });
const nameOf = (one) => (one.querySelector(".who") ?? (one.matches("tr") ? one.cells[0] : one)).textContent.trim();
// The first choice of a select may be "none".
const isSorted = (one, which) => one.matches(which || "*") && !(one.matches("option") && one.value === "");

const byName = (a, b) => collator.compare(nameOf(a), nameOf(b));

const DASH = "– ";
const depthOf = (one) => {
  let depth = 0;
  while (nameOf(one).startsWith(DASH, depth * DASH.length)) depth += 1;
  return depth;
};
const byTree = (all, depth = 0) => {
  const groups = [];
  for (const one of all) {
    if (groups.length && depthOf(one) > depth) groups.at(-1).push(one);
    else groups.push([one]);
  }
  const sorted = groups.toSorted(([a], [b]) => byName(a, b));
  return sorted.flatMap(([first, ...below]) => [first, ...(below.length ? byTree(below, depth + 1) : [])]);
};

const sort = (list) => {
  // "Not known" is no place: it stays at the end.
  const all = [...list.children].filter((one) => isSorted(one, list.dataset.byName) && one.value !== "unknown");
  const sorted = "byTree" in list.dataset ? byTree(all) : all.toSorted(byName);
  if (sorted.every((one, n) => one === all[n])) return;
  const chosen = list.value;
  const next = all.at(-1).nextSibling;
  for (const one of sorted) list.insertBefore(one, next);
  if (chosen === undefined) return;
  list.value = chosen;
  // The server chose it, and no reader.
  if (!list.multiple) for (const one of list.options ?? []) one.defaultSelected = one.selected;
};
const sortAll = (root) => root.querySelectorAll("[data-by-name], [data-by-tree]").forEach(sort);

document.addEventListener("DOMContentLoaded", () => sortAll(document));
// Before it is swapped in: to move what is on the page already would take the focus from it.
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  if (!/data-by-(name|tree)/.test(detail.serverResponse ?? "")) return;
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
