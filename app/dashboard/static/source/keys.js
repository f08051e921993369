// A letter moves the focus to the button that shows it; Enter then acts. So no single key acts on
// a child. A letter opens a menu. The letters can be switched off in the menu with the name.
import { lettersOn } from "./look.js";

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || !lettersOn()) return;
  if (event.target.closest?.("input, textarea, select, [contenteditable]")) return;
  const found = [...document.querySelectorAll(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`)];
  const button = found.find((one) => one.checkVisibility());
  if (!button) return;
  event.preventDefault();
  ((button.dataset.focus && document.querySelector(button.dataset.focus)) || button).focus();
  if (button.tagName === "SUMMARY" && !button.parentElement.open) button.click();
});
