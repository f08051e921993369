// Tells the server that this reader's browser is alive, and whether they do something.
import { fetchOwn } from "./frame/own.js";
import { lookAgain, signIn } from "./frame/signed_out.js";

const EVERY = 20000;

// Whether the reader did something since the last beat: a page that is only open keeps no sign-in.
let acts = true;
for (const kind of ["pointerdown", "keydown", "input"]) {
  document.addEventListener(kind, () => { acts = true; }, { capture: true, passive: true });
}

const once = () => {
  const said_ = acts;
  acts = false;
  return fetchOwn(`/board/heartbeat?acts=${said_}`, { method: "POST", keepalive: true })
    .then((answer) => { if (answer.status === 401) signIn(); else return lookAgain(); })
    .catch(() => { acts ||= said_; });
};

export const beat = () => {
  setInterval(once, EVERY);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) once(); });
};

// While the counsellor writes, the wrap-up goes on: in the form of the contact, in a note to a
// supervisor, in another field of the page, or to her team. To write to another child, to search and
// to choose what a list shows are no work on the talk that is over.
const OTHER = ".chat, [data-write-to], form.search, form[method=get], [type=search], [data-preview]";
const WRITES = 5000;
let said = 0;

document.addEventListener("input", (event) => {
  if (!event.target.closest("#main, #team-messages") || event.target.closest(OTHER)) return;
  if (Date.now() - said < WRITES || !document.querySelector(".callbar[data-state=wrap_up]")) return;
  said = Date.now();
  fetchOwn("/board/writing", { method: "POST", keepalive: true }).catch(() => { said = 0; });
});
