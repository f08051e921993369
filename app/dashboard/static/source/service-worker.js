// The service worker: it shows that the helpline needs its reader, and nothing else. It stores
// nothing and answers no request, so no page and no name is ever kept by it.
self.addEventListener("push", (event) => {
  event.waitUntil(self.registration.showNotification(event.data?.text() || "Helpline", {
    tag: "helpline", renotify: true, requireInteraction: true, icon: "/static/helpline-192.png",
  }));
});
self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(self.clients.matchAll({ type: "window" }).then((open) => (open[0] ? open[0].focus() : self.clients.openWindow("/"))));
});
// A new version takes over at once: there is nothing that two versions could disagree about.
self.addEventListener("install", () => self.skipWaiting());
