// Whether what the page shows is current. Nothing is sent that would act on old rows.
import { _ } from "../words.js";

// Refuse a click with words while the page is not connected.
export const isRefused = () => {
  if (!document.body.hasAttribute("data-stale")) return false;
  document.getElementById("stale").textContent = _("Not connected: this was not done. Wait for the connection, then try again.");
  return true;
};
