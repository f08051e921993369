// The rail: how much waits behind each place, as the stream brings it, and on a narrow screen the
// places that have no room in it.
const rail = document.querySelector(".rail");

const count = () => {
  for (const { dataset, textContent } of rail.querySelectorAll("[data-count]")) {
    const place = rail.querySelector(`a[data-section="${CSS.escape(dataset.count)}"] .count`);
    if (!place) continue;
    place.textContent = textContent;
    place.hidden = !textContent;
  }
  more?.toggleAttribute("data-waits", rail.querySelector(".rest .count:not([hidden])") !== null);
};

const more = document.getElementById("rail-more");
const open = (is) => {
  rail.toggleAttribute("data-open", is);
  more.setAttribute("aria-expanded", String(is));
};
if (rail) document.addEventListener("htmx:afterSwap", (event) => { if (rail.contains(event.detail.target)) count(); });
if (more) {
  document.addEventListener("click", (event) => open(Boolean(event.target.closest("#rail-more")) && !rail.hasAttribute("data-open")));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !rail.hasAttribute("data-open")) return;
    open(false);
    more.focus();
  });
}
