// Tells the server that this counsellor's browser is alive.
const EVERY = 20000;

const once = () => fetch("/board/heartbeat", { method: "POST", keepalive: true })
  .then((answer) => {
    if (answer.status !== 401) return;
    // Never leave a form that the counsellor is writing in.
    if (document.querySelector("[data-record]")) document.dispatchEvent(new CustomEvent("helpline:signed-out"));
    else location.assign("/login");
  })
  .catch(() => {});

export const beat = () => {
  setInterval(once, EVERY);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) once(); });
};
