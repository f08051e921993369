// On a narrow screen the call bar comes in at the foot of the page, and on every screen what calls for
// a person. What the counsellor is writing in is scrolled out from under it, and only then.
const PARTS = new Set(["frame", "calls-for-help", "alerts", "emergencies"]);

const uncover = () => {
  const field = document.activeElement;
  if (!field?.closest?.("main")) return;
  const tops = [...document.querySelectorAll(".callbar .now, #calling")]
    .filter((bar) => bar.offsetHeight && getComputedStyle(bar).position === "fixed")
    .map((bar) => bar.getBoundingClientRect().top);
  const hidden = field.getBoundingClientRect().bottom + 8 - Math.min(...tops);
  if (hidden > 0) scrollBy({ top: hidden, behavior: "instant" });
};

document.addEventListener("htmx:afterSettle", (event) => { if (PARTS.has(event.detail.target?.id)) uncover(); });
