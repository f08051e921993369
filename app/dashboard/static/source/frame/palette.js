// The command palette: Ctrl-K opens it on every page. It lists what the server says that this reader
// may open, in the order of what was chosen last. A code is asked of the server in a request's body;
// no code and no name is kept in the browser.
import Combobox from "@github/combobox-nav";
import { open } from "../pages.js";
import { elements, refuse } from "../live.js";
import { fetchOwn, isOfAnother } from "./own.js";
import { plain, rank } from "../typed.js";
import { _ } from "../words.js";

const MOST = 9;
const LAST = "helpline-palette";
const WAITS = 150;
const dialog = document.getElementById("palette");
const place = (name) => document.getElementById(`palette-${name}`);

let entries = [];
let spelling = {};
let nav;
let asked = 0;

// Pages and actions alone are remembered on this machine; of people and records nothing is.
const recent = () => {
  try { return JSON.parse(localStorage.getItem(LAST) ?? "[]"); } catch { return []; }
};
const remember = ({ key }) => {
  if (key.startsWith("person ") || key.startsWith("record ")) return;
  try { localStorage.setItem(LAST, JSON.stringify([key, ...recent().filter((one) => one !== key)].slice(0, MOST))); } catch { /* not kept */ }
};

const problem = (words) => { place("problem").textContent = words; place("problem").hidden = !words; };

const ask = async (code = "") => {
  const answer = await fetchOwn("/palette", {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ code }),
  });
  if (isOfAnother(answer)) {
    dialog.close();
    refuse(...elements(await answer.text()));
  }
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
};

const optionOf = (entry, n) => {
  const option = document.createElement("li");
  const kind = document.createElement("small");
  kind.textContent = entry.kind;
  option.id = `palette-option-${n}`;
  option.setAttribute("role", "option");
  option.append(entry.words, " ", kind);
  option.entry = entry;
  return option;
};

const draw = (found) => {
  nav.stop();
  place("list").replaceChildren(...found.map(optionOf));
  place("typed").setAttribute("aria-expanded", String(found.length > 0));
  // Enter alone does nothing: only what was typed chooses the first line.
  nav.firstOptionSelectionMode = place("typed").value.trim() ? "selected" : "none";
  if (found.length) nav.start();
  place("says").textContent = found.length ? _("%(number)s found", { number: found.length }) : _("Nothing found");
};

const matches = (words) => {
  const last = recent();
  const place_ = (entry) => (last.includes(entry.key) ? last.indexOf(entry.key) : MOST);
  return entries
    .map((entry, n) => [words.length ? rank(words, entry.find) : 0, place_(entry), n, entry])
    .filter(([fits]) => fits !== null)
    .sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2])
    .map(([, , , entry]) => entry).slice(0, MOST);
};

// The letter of a kind and nine more, however they are parted.
const isCode = (words) => /^[kcr][0-9a-z]{9}$/.test(words.join(""));

const find = async () => {
  const mine = (asked += 1);
  const words = plain(place("typed").value, spelling);
  if (!isCode(words)) return draw(matches(words));
  await new Promise((resolve) => { setTimeout(resolve, WAITS); });
  if (mine !== asked) return;
  try {
    const found = (await ask(place("typed").value)).entries;
    if (mine === asked) draw(found);
  } catch {
    if (mine === asked) problem(_("The server did not respond. Try again."));
  }
};

const show = async () => {
  if (!dialog || dialog.open) return;
  // A ring keeps the focus.
  if (document.querySelector("[data-ringing], [data-help]")) return;
  problem("");
  place("typed").value = "";
  dialog.showModal();
  place("typed").focus();
  nav ??= new Combobox(place("typed"), place("list"), {
    tabInsertsSuggestions: false, firstOptionSelectionMode: "none", scrollIntoViewOptions: { block: "nearest" },
  });
  draw(matches([]));
  try {
    ({ entries, spelling } = await ask());
  } catch {
    problem(_("The server did not respond. Try again."));
  }
  if (dialog.open) find();
};

const act = (entry) => {
  remember(entry);
  // The dialog gives the focus back first; then the page or the button may take it.
  dialog.close();
  if (entry.go) return open(entry.go);
  const button = document.querySelector(entry.press);
  // The click that chose the line goes on its way first: it would close what this one opens.
  setTimeout(() => button?.click());
};

place("list")?.addEventListener("combobox-commit", (event) => act(event.target.closest("[role=option]").entry));
place("typed")?.addEventListener("input", () => { problem(""); find(); });
dialog?.addEventListener("close", () => { nav?.stop(); asked += 1; });
// A click beside it closes it.
dialog?.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
document.getElementById("palette-open")?.addEventListener("click", show);
// The key by its letter or by its place, since a keyboard may be set to Cyrillic.
document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey || !(event.key === "k" || event.code === "KeyK")) return;
  event.preventDefault();
  if (dialog?.open) dialog.close(); else show();
});
