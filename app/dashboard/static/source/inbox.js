// A row of the inbox opens beside the list: a record is fetched when its row opens, and is saved and
// put away when the row closes, so that one record at a time is being written in a page.
import htmx from "htmx.org";
import { openRecord, idle } from "./record.js";

document.addEventListener("toggle", async (event) => {
  const row = event.target;
  if (!row.matches?.("details[data-open]")) return;
  const place = row.querySelector(".detail");
  if (row.open) {
    await htmx.ajax("GET", row.dataset.open, { target: place, select: row.dataset.part, swap: "innerHTML ignoreTitle:true" });
    return;
  }
  if (place.querySelector("[data-record]")) await idle();
  if (row.open) return;
  place.replaceChildren();
  openRecord();
}, true);
