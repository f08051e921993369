// The service worker of this browser. It is told what the helpline is called in the reader's language:
// that is shown when a push arrives without words, while no page is open that could say it.
import { _ } from "../words.js";

export const registered = () => navigator.serviceWorker.register(`/service-worker.js?name=${encodeURIComponent(_("Helpline"))}`);
