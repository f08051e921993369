// A letter moves the focus to the button that shows it; Enter then acts. So no single key acts on
// a child. A letter opens a menu. The letters can be switched off in the menu with the name.
import { lettersOn } from "./look.js";

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || !lettersOn()) return;
  if (event.target.closest?.("input, textarea, select, [contenteditable]")) return;
  const found = [...document.querySelectorAll(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`)];
  // Of several conversations, the letters of the one with the focus count.
  const scopes = document.querySelectorAll("[data-scope]");
  const scope = event.target.closest?.("[data-scope]") ?? (scopes.length === 1 ? scopes[0] : null);
  const near = event.target.closest?.("[data-scope]");
  const visible = found.filter((one) => one.checkVisibility() && [null, scope].includes(one.closest("[data-scope]")));
  const button = visible.find((one) => near?.contains(one)) ?? visible[0];
  if (!button) return;
  event.preventDefault();
  const aim = (button.dataset.focus && document.querySelector(button.dataset.focus)) || button;
  aim.dispatchEvent(new Event("helpline:reveal", { bubbles: true }));
  aim.focus();
  if (button.tagName === "SUMMARY" && !button.parentElement.open) button.click();
});
