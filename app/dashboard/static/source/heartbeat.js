// Tells the server that this reader's browser is alive, and whether they do something.
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
  return fetch(`/board/heartbeat?acts=${said_}`, { method: "POST", keepalive: true })
    .then((answer) => { if (answer.status === 401) signIn(); else return lookAgain(); })
    .catch(() => { acts ||= said_; });
};

export const beat = () => {
  setInterval(once, EVERY);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) once(); });
};

// While the counsellor writes, the wrap-up does not end.
const WRITES = 5000;
let said = 0;

document.addEventListener("input", (event) => {
  if (!event.target.closest("[data-record]:not([data-preview])") || Date.now() - said < WRITES) return;
  if (!document.querySelector(".callbar[data-state=wrap_up]")) return;
  said = Date.now();
  fetch("/board/writing", { method: "POST", keepalive: true }).catch(() => {});
});
