// The scripts of the pages; one small file per behaviour.
import htmx from "htmx.org";
import { listen } from "./live.js";
import "./clocks.js";
import "./keys.js";
import "./ring.js";
import "./record.js";
import "./actions.js";
import { beat } from "./heartbeat.js";

window.htmx = htmx;
const board = document.querySelector("[data-live]");
if (board) listen(board.dataset.live);
// On every page of a signed-in person: a counsellor who reads a case is present too.
if (document.getElementById("connection")) beat();
