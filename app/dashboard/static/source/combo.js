// One Tab for each question that has many options: categories are found by typing and stand as
// chips; in a short list of choices the arrow keys move.
import Combobox from "@github/combobox-nav";
import { onPage } from "./pages.js";
import { plain, rank } from "./typed.js";
import { _ } from "./words.js";

// Options shown for what was typed. Without any, all are there, the counsellor's most frequent ones first.
const MOST = 12;

// The elements of one question, under the names that the functions below use.
const partsOf = (combo) => {
  const question = combo.closest("fieldset");
  return {
    question,
    input: combo.querySelector("input"),
    list: combo.querySelector("[role=listbox]"),
    chips: combo.querySelector(".chips"),
    status: combo.querySelector("[role=status]"),
    boxOf: (code) => question.querySelector(`input[type=checkbox][value="${CSS.escape(code)}"]`),
  };
};

// The list of options: it opens with what fits what was typed.
const searchOf = (combo, { input, list, status, boxOf }) => {
  const spelling = JSON.parse(combo.dataset.spelling);
  // Read when they are first shown: by then they stand in the reader's order.
  let options;
  const nav = new Combobox(input, list, {
    tabInsertsSuggestions: false,
    firstOptionSelectionMode: "selected",
    scrollIntoViewOptions: { block: "nearest" },
  });
  const close = () => { list.hidden = true; nav.stop(); };
  const find = () => {
    options ??= [...list.children];
    const words = plain(input.value, spelling);
    const free = options.filter((option) => !boxOf(option.dataset.code)?.checked);
    const found = words.length
      ? free.map((option) => [rank(words, option.dataset.words), option])
        .filter(([place]) => place !== null)
        .sort(([a], [b]) => a - b).map(([, option]) => option).slice(0, MOST)
      : [...free].sort((a, b) => (a.dataset.recent ?? 99) - (b.dataset.recent ?? 99));
    list.replaceChildren(...found);
    list.hidden = found.length === 0;
    nav.stop();
    if (found.length) nav.start();
    if (!words.length) return;
    status.textContent = found.length
      ? _("%(number)s found", { number: found.length }) : _("Nothing found");
  };
  return { close, find };
};

// The chips of what is chosen.
const chosenOf = ({ question, input, chips, status }) => {
  const choose = (box, on) => {
    box.checked = on;
    box.dispatchEvent(new Event("input", { bubbles: true }));
    paint();
    const name = box.closest("label").textContent.trim();
    status.textContent = on ? _("%(name)s chosen", { name }) : _("%(name)s removed", { name });
  };
  const chipOf = (box) => {
    const chip = document.createElement("button");
    const name = box.closest("label").textContent.trim();
    chip.type = "button";
    chip.tabIndex = -1;
    chip.textContent = `${name} ×`;
    chip.setAttribute("aria-label", _("Remove %(name)s", { name }));
    chip.disabled = input.disabled;
    chip.addEventListener("click", () => { choose(box, false); input.focus(); });
    const item = document.createElement("li");
    item.append(chip);
    return item;
  };
  // What was chosen last stands last: Delete takes it away.
  let order = [];
  const paint = () => {
    const chosen = [...question.querySelectorAll("input[type=checkbox]:checked")];
    const kept = order.filter((box) => chosen.includes(box));
    order = [...kept, ...chosen.filter((box) => !order.includes(box))];
    chips.replaceChildren(...order.map(chipOf));
  };
  return { choose, paint };
};

const keysOf = ({ input, list, chips }, { close, find }) => (event) => {
  const all = [...chips.querySelectorAll("button")];
  const at = all.indexOf(event.target);
  if (event.key === "Escape" && !list.hidden) { close(); event.stopPropagation(); return; }
  // Enter takes the option; without one it does not send the form.
  if (event.target === input && event.key === "Enter") { event.preventDefault(); return; }
  if (event.target === input && event.key === "ArrowDown" && list.hidden) { find(); return; }
  // Before the empty field are the chips; Delete takes one away.
  const [back, on] = document.dir === "rtl" ? ["ArrowRight", "ArrowLeft"] : ["ArrowLeft", "ArrowRight"];
  if (event.target === input && event.key === back && input.value === "") all.at(-1)?.focus();
  else if (at >= 0 && event.key === back) all[at - 1]?.focus();
  else if (at >= 0 && event.key === on) (all[at + 1] ?? input).focus();
  else if (at >= 0 && (event.key === "Delete" || event.key === "Backspace")) all[at].click();
  else return;
  event.preventDefault();
};

const set = (combo) => {
  const parts = partsOf(combo);
  const { question, input, list, boxOf } = parts;
  const search = searchOf(combo, parts);
  const { choose, paint } = chosenOf(parts);
  list.addEventListener("combobox-commit", (event) => {
    choose(boxOf(event.target.dataset.code), true);
    input.value = "";
    // A list of a short form gives way to what is below it; typing, a click or an arrow opens it again.
    if ("closes" in combo.dataset) search.close();
    else search.find();
  });
  input.addEventListener("input", search.find);
  input.addEventListener("focus", search.find);
  input.addEventListener("click", search.find);
  input.addEventListener("blur", () => setTimeout(search.close, 150));
  combo.addEventListener("keydown", keysOf(parts, search));
  question.addEventListener("helpline:shown", paint);
  paint();
};

onPage(() => {
  for (const combo of document.querySelectorAll("[data-combo]:not([data-set])")) {
    if (combo.closest("template")) continue;
    combo.dataset.set = "yes";
    set(combo);
  }
});

// In a list of choices, only one box is reached by Tab; the arrow keys move to the others.
const boxesOf = (place) => [...place.querySelectorAll("input[type=checkbox]")];
document.addEventListener("focusin", (event) => {
  const place = event.target.closest?.(".choices");
  if (place) for (const box of boxesOf(place)) box.tabIndex = box === event.target ? 0 : -1;
});
document.addEventListener("keydown", (event) => {
  const place = event.target.closest?.(".choices");
  const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
  if (!place || !step || event.target.type !== "checkbox") return;
  event.preventDefault();
  const boxes = boxesOf(place);
  boxes[(boxes.indexOf(event.target) + step + boxes.length) % boxes.length].focus();
});
