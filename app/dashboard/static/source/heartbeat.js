// Tells the server that this counsellor's browser is alive.
const EVERY = 20000;

const once = () => fetch("/board/heartbeat", { method: "POST", keepalive: true })
  .then((answer) => {
    if (answer.status !== 401) return;
    // Never leave a form that the counsellor is writing in, nor a talk.
    if (document.querySelector("[data-record]") || globalThis.helplineTelephone?.call) document.dispatchEvent(new CustomEvent("helpline:signed-out"));
    else location.assign("/login");
  })
  .catch(() => {});

export const beat = () => {
  setInterval(once, EVERY);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) once(); });
};

// While the counsellor writes, the wrap-up does not end.
const WRITES = 5000;
let said = 0;

document.addEventListener("input", (event) => {
  if (!event.target.closest("[data-record]") || Date.now() - said < WRITES) return;
  if (!document.querySelector(".callbar[data-state=wrap_up]")) return;
  said = Date.now();
  fetch("/board/writing", { method: "POST", keepalive: true }).catch(() => {});
});
