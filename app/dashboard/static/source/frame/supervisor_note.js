// One line to the supervisor, from the desk: sent once, and the field is empty for the next. What is
// not sent stays, when the talk and its wrap-up are over and when another page has been opened.
import htmx from "htmx.org";
import { lost } from "../focus.js";
import { onPage } from "../pages.js";
import { _ } from "../words.js";

const NOTES = "form[data-note]";
const hasWords = (form) => form.elements.words.value.trim() !== "";

document.addEventListener("htmx:configRequest", (event) => {
  if (!event.target.matches?.(NOTES)) return;
  const { dataset, elements: { words } } = event.target;
  // Other words than before are another note, also when the answer to the former one was lost.
  if (dataset.words !== words.value) delete dataset.key;
  dataset.key ??= crypto.randomUUID();
  dataset.words = words.value;
  event.detail.parameters.key = dataset.key;
});
document.addEventListener("htmx:afterRequest", (event) => {
  const form = event.target;
  if (!form.matches?.(NOTES)) return;
  const says = form.querySelector("output");
  says.textContent = event.detail.successful ? says.dataset.sent : "";
  if (!event.detail.successful) return;
  // What was written meanwhile stays.
  if (form.elements.words.value === form.dataset.words) form.elements.words.value = "";
  delete form.dataset.key;
  delete form.dataset.words;
});

// The notes that were not sent when the page last changed, and where its writer was.
const unsent = new Set();
let writer = null;

const remove = (form) => {
  unsent.delete(form);
  const place = form.closest("#unsent-notes");
  form.remove();
  if (place) place.hidden = !place.querySelector(NOTES);
};

// Leaves the present choice where the former one can no longer be made.
const choose = ({ elements: { to } }, former) => {
  if ([...to.options ?? []].some((one) => one.value === former)) to.value = former;
};

// To whom can be written may have changed since: as in the form of the present talk, if there is one.
const recipient = (form) => form.elements.to.closest("label") ?? form.elements.to;
const named = ({ elements: { to } }) => [...to.options ?? [to]].map((one) => one.value).join();
const addressAnew = (form, present) => {
  if (named(form) === named(present)) return;
  const former = form.elements.to.value;
  recipient(form).replaceWith(recipient(present).cloneNode(true));
  const label = (one) => one.elements.words.closest("label").firstChild;
  label(form).data = label(present).data;
  choose(form, former);
};

// To the form of the same talk, if it is there again; else beside the desk, with the time of its talk.
const put = (form) => {
  const again = document.getElementById(form.id);
  if (again) {
    again.elements.words.value = form.elements.words.value;
    choose(again, form.elements.to.value);
    if (form.dataset.key) Object.assign(again.dataset, { key: form.dataset.key, words: form.dataset.words });
    return unsent.delete(form);
  }
  const place = document.getElementById("unsent-notes");
  if (!place) return undefined;
  place.append(form);
  place.hidden = false;
  form.querySelector("[data-talk]").hidden = false;
  htmx.process(form);
  if (form.querySelector("[data-discard]")) return undefined;
  const discard = document.createElement("button");
  discard.type = "button";
  discard.className = "small outline secondary";
  discard.dataset.discard = "";
  discard.textContent = _("Discard");
  discard.addEventListener("click", () => remove(form));
  return form.querySelector("button").after(discard);
};

const look = () => {
  // One whose words are being written anew is empty for a moment.
  for (const form of document.querySelectorAll(`#unsent-notes ${NOTES}`)) {
    if (!hasWords(form) && !form.contains(document.activeElement)) remove(form);
  }
  for (const form of [...unsent]) {
    if (form.isConnected) unsent.delete(form);
    else put(form);
  }
  const present = document.querySelector(`#desk ${NOTES}`);
  if (present) for (const form of document.querySelectorAll(`#unsent-notes ${NOTES}`)) addressAnew(form, present);
  if (writer?.field.isConnected && lost()) {
    writer.field.focus({ preventScroll: true });
    writer.field.setSelectionRange(...writer.at);
  }
  writer = null;
};

document.addEventListener("htmx:beforeSwap", () => {
  const field = document.activeElement;
  writer = field?.name === "words" && field.closest(NOTES)
    ? { field, at: [field.selectionStart, field.selectionEnd] } : null;
  for (const form of document.querySelectorAll(NOTES)) if (hasWords(form)) unsent.add(form);
});
document.addEventListener("htmx:afterSwap", look);
onPage(look);
