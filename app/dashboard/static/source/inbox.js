// A row of the inbox opens beside the list: a record is fetched when its row opens, and is saved and
// put away when the row closes, so that one record at a time is being written in a page.
import htmx from "htmx.org";
import { onPage } from "./pages.js";
import { openRecord, idle } from "./record.js";

document.addEventListener("toggle", async (event) => {
  const row = event.target;
  if (!row.matches?.("details[data-open]")) return;
  const place = row.querySelector(".detail");
  if (row.open) {
    const loads = document.getElementById("form-loads");
    if (loads) place.replaceChildren(loads.content.cloneNode(true));
    await htmx.ajax("GET", row.dataset.open, { target: place, select: row.dataset.part, swap: "innerHTML ignoreTitle:true" });
    if (row.dataset.aim) place.querySelector(`#${CSS.escape(row.dataset.aim)}`)?.scrollIntoView({ block: "nearest" });
    return;
  }
  if (place.querySelector("[data-record]")) await idle();
  if (row.open) return;
  place.replaceChildren();
  openRecord();
}, true);

// The groups of the inbox stand by their most urgent row: what is urgent, children who wait, then the
// oldest. While a row is open or a button of the list has the focus, nothing moves.
const RANKED = ["queue", "talks", "callbacks", "messages", "tasks", "notices"];
const age = (row) => {
  const seconds = row.querySelector("[data-up]")?.dataset.up;
  if (seconds !== undefined) return Number(seconds);
  const at = Date.parse(row.querySelector("time[datetime]")?.dateTime);
  return Number.isNaN(at) ? 0 : (Date.now() - at) / 1000;
};
const rank = (group) => {
  const all = [...group.querySelectorAll("ul.rows > li")];
  const urgent = all.filter((row) => row.matches(".urgent, [data-urgent]") || row.querySelector("summary.urgent"));
  const oldest = (rows) => Math.max(0, ...rows.map(age));
  if (urgent.length) return [3, group.id === "queue" ? Infinity : oldest(urgent)];
  if (all.length && group.id === "queue") return [2, oldest(all)];
  return all.length ? [1, oldest(all)] : [0, 0];
};
const sort = () => {
  const inbox = document.querySelector(".board > .inbox");
  if (!inbox || inbox.querySelector("details[open]") || inbox.contains(document.activeElement)) return;
  const groups = [...inbox.children].filter((one) => RANKED.includes(one.id));
  const ranks = new Map(groups.map((one) => [one, rank(one)]));
  const wanted = [...groups].sort((one, other) => {
    const [[a, b], [c, d]] = [ranks.get(one), ranks.get(other)];
    return c - a || (d > b) - (d < b);
  });
  if (wanted.every((one, n) => one === groups[n])) return;
  const end = groups.at(-1).nextSibling;
  for (const one of wanted) inbox.insertBefore(one, end);
};
document.addEventListener("htmx:afterSettle", sort);
document.addEventListener("focusout", () => setTimeout(sort));
onPage(sort);
