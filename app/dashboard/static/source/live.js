// The live stream names changed topics; each part of the page that shows one fetches it again.
import htmx from "htmx.org";

const say = (words, well) => {
  const place = document.getElementById("connection");
  if (!place) return;
  place.textContent = words;
  place.dataset.well = well;
};

const refresh = (topics) => {
  document.dispatchEvent(new CustomEvent("helpline:topics", { detail: topics }));
  for (const part of document.querySelectorAll("[data-topics]")) {
    const mine = part.dataset.topics.split(" ");
    if (topics.includes("everything") || topics.some((topic) => mine.includes(topic))) {
      htmx.trigger(part, "refresh");
    }
  }
};

// The last content of each part, without the counting seconds. A part with the same content is
// not replaced: the focus stays, and no button is replaced during a click.
const shown = new WeakMap();
const plain = (html) => {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  return holder.innerHTML.replace(/ (data-up|data-down|value|max)="\d*"/g, "");
};

for (const part of document.querySelectorAll("[data-topics]")) {
  shown.set(part, plain(part.innerHTML));
}

document.addEventListener("htmx:beforeSwap", (event) => {
  const { target, serverResponse, requestConfig, xhr } = event.detail;
  // Show a refusal in the place of the response.
  if (xhr.status >= 400 && xhr.status < 500 && requestConfig.verb === "post") event.detail.shouldSwap = true;
  if (!shown.has(target) || xhr.status >= 400) return;
  const html = plain(serverResponse);
  if (requestConfig.verb === "get" && shown.get(target) === html) event.detail.shouldSwap = false;
  shown.set(target, html);
});

export const listen = (url) => {
  let source;
  let lastWord = Date.now();
  const open = () => {
    source?.close();
    source = new EventSource(url);
    source.onopen = () => say("● live", true);
    source.onmessage = (event) => {
      lastWord = Date.now();
      refresh(JSON.parse(event.data).topics);
    };
    source.onerror = () => {
      say("○ reconnecting…", false);
      // A closed source does not reconnect by itself: the server responded with an error.
      if (source.readyState === EventSource.CLOSED) setTimeout(open, 1500);
    };
  };
  open();
  // A net: a change that the stream missed is shown within fifteen seconds.
  setInterval(() => {
    if (Date.now() - lastWord > 10000) refresh(["everything"]);
  }, 15000);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) refresh(["everything"]);
  });
};
