// On a narrow screen the call bar comes in at the foot of the page. What the counsellor is writing in
// is scrolled out from under it.
const uncover = () => {
  const bar = document.querySelector(".callbar .now");
  const field = document.activeElement;
  if (!bar || !field?.closest?.("main") || getComputedStyle(bar).position !== "fixed") return;
  const hidden = field.getBoundingClientRect().bottom + 8 - bar.getBoundingClientRect().top;
  if (hidden > 0) scrollBy({ top: hidden, behavior: "instant" });
};

document.addEventListener("htmx:afterSettle", (event) => { if (event.detail.target?.id === "frame") uncover(); });
