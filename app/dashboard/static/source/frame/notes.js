// A ring as a notification with a button, where the browser can: the service worker shows it for this
// page, and tells the page when Accept was clicked.
import { _ } from "../words.js";
import { registered } from "./worker.js";

const can = () => "serviceWorker" in navigator && (globalThis.Notification?.maxActions ?? 0) > 0;

// Resolves to whether it is shown.
export const showWithAccept = async (words, offer) => {
  if (!can()) return false;
  try {
    const worker = (await registered()).active ?? (await navigator.serviceWorker.ready).active;
    worker.postMessage({ ring: words, accept: _("Accept"), offer });
    return true;
  } catch {
    return false;
  }
};

export const withdraw = async () => {
  if (!can()) return;
  const there = await navigator.serviceWorker.getRegistration().catch(() => null);
  there?.active?.postMessage({ withdraw: true });
};

export const onAccept = (act) => {
  navigator.serviceWorker?.addEventListener("message", (event) => { if (event.data?.accepted) act(event.data.accepted); });
};
