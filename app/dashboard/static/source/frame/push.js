// Waking this browser: it is asked for an address at its push service, which the server keeps sealed.
import { again, onPage } from "../pages.js";
import { _ } from "../words.js";
import { isRefused } from "./current.js";
import { fetchOwn } from "./own.js";
import { choose, chosen } from "./sounds.js";
import { registered } from "./worker.js";

const can = () => "serviceWorker" in navigator && "PushManager" in globalThis;
const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (one) => one.charCodeAt(0));

const post = async (path, body) => {
  const answer = await fetchOwn(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(said.detail ?? _("The server did not respond. Try again."));
  return said;
};

// "Firefox on Linux": by what its owner knows it in the list.
const name = () => {
  const { userAgent } = navigator;
  const found = (names) => names.find(([sign]) => userAgent.includes(sign))?.[1];
  const browser = found([["Firefox", "Firefox"], ["Edg/", "Edge"], ["OPR/", "Opera"], ["Chrome", "Chrome"], ["Safari", "Safari"]]);
  const system = found([["Android", "Android"], ["iPhone", "iPhone"], ["iPad", "iPad"], ["Windows", "Windows"], ["Mac OS", "macOS"], ["Linux", "Linux"]]);
  return [browser, system].filter(Boolean).join(", ") || _("Browser");
};

const subscribe = async (place) => {
  if (isRefused()) return;
  const says = place.querySelector("[data-push=says]");
  says.textContent = "";
  try {
    if ((await Notification.requestPermission()) !== "granted") {
      throw new Error(_("Notifications are blocked in this browser. Allow them at the left of the address, and try again."));
    }
    const { key } = await post("/sounds/push/key", {});
    const worker = await registered();
    await navigator.serviceWorker.ready;
    // An address that was made for another key is of no use.
    await (await worker.pushManager.getSubscription())?.unsubscribe();
    const made = await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes(key) });
    const { id } = await post("/sounds/push", { ...made.toJSON(), label: name() });
    choose("push", id);
    await again();
  } catch (error) {
    says.textContent = error.message || _("This browser could not be entered. Try again, or use another one.");
  }
};

onPage(() => {
  const place = document.querySelector("[data-push-place]:not([data-set])");
  if (!place) return;
  place.dataset.set = "yes";
  const mine = place.querySelector(`[data-browser="${CSS.escape(chosen("push"))}"]`);
  const start = place.querySelector("[data-push=start]");
  if (mine) mine.querySelector("[data-push=mine]").hidden = false;
  // A reader who takes no calls can only take browsers off the list.
  if (!start) return;
  start.hidden = Boolean(mine) || !can();
  place.querySelector("[data-push=cannot]").hidden = can();
  start.addEventListener("click", () => subscribe(place));
});
