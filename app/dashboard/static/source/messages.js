// Messages between supervisors and their team. They come without a sound and take no focus: a
// counsellor may be talking with a child. They are opened only when their reader opens the menu.
import htmx from "htmx.org";

const menu = () => document.getElementById("team-messages");
const read = () => htmx.ajax("POST", "/team/messages/read", {
  source: "#team-messages-sheet", target: "#team-messages-sheet", swap: "morph:innerHTML",
});

document.addEventListener("toggle", (event) => {
  if (event.target.id === "team-messages" && event.target.open) read();
}, true);
document.addEventListener("helpline:topics", ({ detail: topics }) => {
  if (menu()?.open && topics.includes("team_messages")) read();
});
document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-open-messages]")) return;
  // The click that closes open menus comes first.
  setTimeout(() => { menu().open = true; menu().querySelector("summary").focus(); });
});

// What was sent leaves the field; what was refused, or written meanwhile, stays in it.
let refused = false;
let sent = "";
document.addEventListener("messageRefused", () => { refused = true; });
document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.target.id !== "team-message-form") return;
  refused = false;
  sent = event.target.elements.words.value;
});
document.addEventListener("htmx:afterRequest", (event) => {
  const form = document.getElementById("team-message-form");
  if (event.target.id !== "team-message-form" || !form || !event.detail.successful || refused) return;
  if (form.elements.words.value === sent) form.elements.words.value = "";
  form.elements.words.focus();
});
