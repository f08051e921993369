// The service worker: it shows that the helpline needs its reader, and nothing else. It stores
// nothing and answers no request, so no page and no name is ever kept by it.
const helpline = new URL(self.location.href).searchParams.get("name") || "Helpline";
// One after another: Chromium forgets a notification that it is asked about before it is on the
// screen, and could never take it away again.
let last = Promise.resolve();
self.inTurn = (act) => {
  last = last.then(act, act);
  return last;
};
self.addEventListener("push", (event) => {
  event.waitUntil(self.inTurn(() => self.registration.showNotification(event.data?.text() || helpline, {
    tag: "helpline", renotify: true, requireInteraction: true, icon: "/static/helpline-192.png",
  })));
});
// A ring of an open page, with a button. Accept is done by the page that rings, and by no other.
self.addEventListener("message", (event) => {
  const { ring, accept, offer, withdraw } = event.data ?? {};
  if (withdraw) {
    event.waitUntil(self.inTurn(() => self.registration.getNotifications({ tag: "ring" }).then((all) => all
      .filter((one) => one.data?.page === event.source.id).forEach((one) => one.close()))));
  } else if (ring) {
    event.waitUntil(self.inTurn(() => self.registration.showNotification(ring, {
      tag: "ring", requireInteraction: true, icon: "/static/helpline-192.png",
      actions: [{ action: "accept", title: accept }], data: { page: event.source.id, offer },
    })));
  }
});
self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const { page, offer } = event.notification.data ?? {};
  if (page) {
    event.waitUntil(self.clients.get(page).then((open) => {
      if (event.action === "accept") open?.postMessage({ accepted: offer });
      return open ? open.focus() : self.clients.openWindow("/");
    }));
    return;
  }
  event.waitUntil(self.clients.matchAll({ type: "window" }).then((open) => (open[0] ? open[0].focus() : self.clients.openWindow("/"))));
});
// A new version takes over at once: there is nothing that two versions could disagree about.
self.addEventListener("install", () => self.skipWaiting());
