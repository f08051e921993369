// The scripts of the pages; one small file per behaviour.
import htmx from "htmx.org";
import "./morph.js";
import "./focus.js";
import { listen } from "./live.js";
import "./clocks.js";
import "./keys.js";
import "./look.js";
import "./menus.js";
import "./frame/sorting.js";
import "./undo.js";
import "./team.js";
import "./messages.js";
import "./ring.js";
import "./frame/dock.js";
import "./frame/palette.js";
import "./frame/proof.js";
import "./frame/sounds_page.js";
import "./frame/push.js";
import { openRecord } from "./record.js";
import "./combo.js";
import "./inbox.js";
import "./guidance.js";
import { onPage } from "./pages.js";
import "./actions.js";
import "./welcome.js";
import { rota } from "./rota/calendar.js";
import { prompts } from "./prompts.js";
import { beat } from "./heartbeat.js";

window.htmx = htmx;
const { live } = document.body.dataset;
onPage(() => { if (live) listen(document.querySelector("main [data-live]")?.dataset.live ?? live); });
onPage(openRecord);
onPage(prompts);
onPage(rota);
// On every page of a signed-in person: a counsellor who reads a case is present too.
if (document.getElementById("connection")) beat();
