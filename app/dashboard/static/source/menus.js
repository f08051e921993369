import { lost } from "./focus.js";

// Menus close with Esc, and when another part of the page is clicked.
const openMenus = () => document.querySelectorAll("details.menu[open]");

document.addEventListener("click", (event) => {
  // A dialog that a menu opened gives the focus back to the button in it.
  if (event.target.closest("dialog")) return;
  for (const menu of openMenus()) {
    const inside = menu.contains(event.target);
    const button = event.target.closest(".sheet button:not([type=button])");
    // A form that is not complete stays, so that its reader sees what is missing.
    if (!inside || (button && !button.closest("[data-stays]") && (!button.form || button.form.checkValidity()))) {
      // The focus would stay on a button that is not to be seen any more.
      const within = menu.contains(document.activeElement);
      menu.open = false;
      // After the form was sent: htmx forgets which button sent it when the focus leaves the button.
      if (within && inside) setTimeout(() => { if (lost()) menu.querySelector("summary").focus(); });
    }
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of openMenus()) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
document.addEventListener("click", (event) => event.target.closest("[data-dismiss]")?.remove());
