// Saves a record while the counsellor types: question by question, merged with other windows.
// In a preview nothing is stored: each time all answers are sent, to learn what follows from them.
import { fetchOwn, isOfAnother } from "./frame/own.js";
import { isSignedOut, signIn } from "./frame/signed_out.js";
import { openOutbox } from "./outbox.js";
import { markSections } from "./sections.js";
import { _ } from "./words.js";

// Milliseconds from a keystroke to its save. While a save is under way, the next one waits.
const PAUSE = 400;
const AGAIN = 2000;
// The same where another person is signed in, and this page stays for its call.
const LATER = 15_000;
// The longest time for a save, in milliseconds. After that it is sent again, which is safe.
const LONGEST = 10000;

// The record that is open in this page, if any.
let root = null;
let api;
let versions = {};
// path → {value, base, held}: a held change waits for a decision or a correction.
let pending = {};
let revision = 0;
let outbox = null;
let sending = false;
let timer = null;
let behind = false;
// In a preview: path → value, every answer that was given. Null: this is a record.
let given = null;

const question = (path) => root.querySelector(`.question[data-path="${CSS.escape(path)}"]`);
const entryOf = (path) => path.split(".").slice(0, 2).join(".");
const versionOf = (path) => Math.max(
  versions[path] ?? 0,
  ...Object.keys(versions).filter((p) => p.startsWith(`${path}.`)).map((p) => versions[p]),
);

const say = (words, well) => {
  const place = document.getElementById("saving");
  if (!place) return;
  place.textContent = words;
  place.dataset.well = well;
};

// -- the page and its values ------------------------------------------------------------------

const read = (element) => {
  if (element.querySelector("fieldset")) {
    const chosen = [...element.querySelectorAll("input[type=checkbox]:checked")].map((box) => box.value);
    return chosen.length ? chosen : null;
  }
  const text = element.querySelector("input, select, textarea").value;
  if (text.trim() === "") return null;
  if (element.dataset.type !== "whole_number") return text;
  return /^-?\d+$/.test(text.trim()) ? Number(text.trim()) : text;
};

const show = (path, value) => {
  const element = question(path);
  if (!element) return;
  const boxes = element.querySelector("fieldset");
  if (boxes) {
    const chosen = value ?? [];
    for (const box of boxes.querySelectorAll("input[type=checkbox]")) box.checked = chosen.includes(box.value);
    boxes.dispatchEvent(new Event("helpline:shown"));
  } else {
    element.querySelector("input, select, textarea").value = value ?? "";
  }
  markSections(root);
};

// Shown beside the question, or above the form if it is about a whole or a removed person.
const trouble = (path, words, buttons = []) => {
  markSections(root);
  const beside = question(path)?.querySelector(".trouble");
  if (beside) {
    beside.replaceChildren(words ?? "", ...buttons);
    beside.hidden = !words;
    return;
  }
  const list = document.getElementById("troubles");
  list.querySelector(`[data-trouble="${CSS.escape(path)}"]`)?.remove();
  if (!words) return;
  const made = document.createElement("p");
  made.className = "notice";
  made.dataset.trouble = path;
  made.append(words, " ", ...buttons);
  list.append(made);
};

const button = (words, act) => {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "outline small";
  made.textContent = words;
  made.addEventListener("click", act);
  return made;
};

const number = () => {
  for (const list of root.querySelectorAll("[data-entries]")) {
    [...list.children].forEach((entry, n) => {
      const legend = entry.querySelector("legend").firstChild;
      legend.textContent = legend.textContent.trim().replace(/\s\d+$/, "").trimEnd() + ` ${n + 1} `;
    });
    const add = root.querySelector(`[data-add="${list.dataset.entries}"]`);
    add.disabled = list.children.length >= Number(add.dataset.most);
  }
};

const ensureEntry = (path) => {
  const [section, key] = path.split(".");
  const list = root.querySelector(`[data-entries="${section}"]`);
  if (!list || list.querySelector(`[data-entry="${section}.${key}"]`)) return;
  const blank = root.querySelector(`[data-blank="${section}"]`).innerHTML.replaceAll("__entry__", key);
  const holder = document.createElement("template");
  holder.innerHTML = blank;
  list.append(holder.content);
  number();
};

// -- saving -----------------------------------------------------------------------------------

const inherited = new Set();
const keep = (path) => outbox?.put(path, { value: pending[path].value, base: pending[path].base });
const forget = (path) => {
  delete pending[path];
  outbox?.drop(path, inherited.delete(path));
};

const give = (path, value) => {
  if (!given) return;
  for (const known of Object.keys(given)) if (known === path || (value === null && known.startsWith(`${path}.`))) delete given[known];
  if (value !== null) given[path] = value;
};

const change = (path, value) => {
  give(path, value);
  pending[path] = { value, base: pending[path]?.base ?? versionOf(path) };
  inherited.delete(path);
  trouble(path);
  say(_("Saving…"), true);
  keep(path);
  schedule(PAUSE);
};

const schedule = (wait) => {
  if (timer === null) timer = setTimeout(() => { timer = null; flush(); }, wait);
};

const changesOf = (due) => {
  if (!given) return due.map(([path, { value, base }]) => ({ path, value, base }));
  const all = { ...given, ...Object.fromEntries(due.map(([path, { value }]) => [path, value])) };
  return Object.entries(all).map(([path, value]) => ({ path, value }));
};

const REFUSED = "refused";
const flush = async () => {
  if (!root || sending || stopped || isSignedOut()) return;
  const due = Object.entries(pending).filter(([, change]) => !change.held);
  if (!due.length) return settled();
  sending = true;
  const mine = root;
  const sent = Object.fromEntries(due);
  try {
    const answer = await fetchOwn(`${api}/answers`, {
      method: "PUT",
      headers: { "Content-Type": "application/json" },
      signal: AbortSignal.timeout(LONGEST),
      body: JSON.stringify({ changes: changesOf(due) }),
    });
    if (answer.status >= 500) throw new Error("not now");
    if (answer.status === 401) {
      sending = false;
      say(_("Not saved yet: sign in again."), false);
      signIn();
      return undefined;
    }
    if (isOfAnother(answer)) {
      sending = false;
      say(_("Not saved yet: sign in again."), false);
      schedule(LATER);
      return REFUSED;
    }
    const body = await answer.json();
    // The page was changed meanwhile: these answers belong to a form that is gone.
    if (root !== mine) return undefined;
    if (answer.ok) take(sent, body);
    else stop(body.detail);
  } catch {
    if (root !== mine) return undefined;
    for (const [path, change] of due) lastSent[path] = change.value;
    say(outbox
      ? _("Not saved yet: no connection. Your words are kept on this machine.")
      : _("Not saved yet: no connection. Keep this window open."), false);
    // The server cannot say now which questions depend on the answers, so all are shown.
    for (const element of root.querySelectorAll("[data-section], .question")) element.hidden = false;
    sending = false;
    return schedule(AGAIN);
  }
  sending = false;
  if (Object.values(pending).some((change) => !change.held)) schedule(PAUSE);
  else settled();
  if (behind) catchUp();
};

let stopped = false;
const stop = (words) => {
  stopped = true;
  for (const path of Object.keys(pending)) pending[path].held = true;
  say(_("Not saved: %(why)s", { why: words }), false);
};

const settled = () => {
  if (stopped || !root) return;
  const held = Object.values(pending).filter((change) => change.held).length;
  if (held) say(_("%(held)s not saved: see below", { held }), false);
  else say(_("All saved"), true);
};

const take = (sent, body) => {
  for (const [path, version] of Object.entries(body.saved)) {
    versions[path] = version;
    if (pending[path] === sent[path]) forget(path);
    else if (pending[path]) { pending[path].base = version; keep(path); }
    // Our own answer was saved meanwhile: the removal of the whole person is based on it.
    const whole = pending[entryOf(path)];
    if (whole && whole !== sent[entryOf(path)]) whole.base = Math.max(whole.base, version);
  }
  for (const [path, words] of Object.entries(body.refused)) {
    if (!pending[path] || pending[path] !== sent[path]) continue;
    pending[path].held = true;
    trouble(path, words, question(path) ? [] : [button(_("Discard"), () => { trouble(path); forget(path); settled(); })]);
  }
  for (const [path, theirs] of Object.entries(body.conflicts)) conflict(path, theirs);
  for (const path of Object.keys(sent)) delete lastSent[path];
  // A revision that is not the next one also holds changes of another window.
  if (body.revision > revision + 1) behind = true;
  else revision = Math.max(revision, body.revision);
  if (body.form) apply(body.form);
};

// The values sent last. If the server holds the same value, only the response was lost.
const lastSent = {};
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

const conflict = (path, theirs) => {
  if (path in lastSent && same(lastSent[path], theirs.value)) {
    versions[path] = theirs.version;
    pending[path] = { value: pending[path].value, base: theirs.version };
    keep(path);
    return;
  }
  pending[path] = { ...pending[path], held: true };
  const whole = !question(path);
  const said = theirs.value === null ? _("it was cleared") : [theirs.value].flat().map((v) => named(path, v)).join(_(", "));
  const words = whole
    ? _("A person whom you are removing was changed in another window.")
    : `${_("Changed in another window: %(said)s", { said })} `;
  const free = (base) => { versions[path] = base; trouble(path); };
  trouble(path, words, [
    button(whole ? _("Remove anyway") : _("Keep mine"), () => {
      free(theirs.version);
      pending[path] = { value: pending[path].value, base: theirs.version };
      keep(path);
      schedule(0);
    }),
    button(whole ? _("Keep the person") : _("Take theirs"), async () => {
      free(theirs.version);
      forget(path);
      if (whole) { await outbox?.drop(path, true); return location.reload(); }
      show(path, theirs.value);
      settled();
    }),
  ]);
};

// An answer in the words of the form.
const named = (path, value) => {
  const element = question(path);
  const option = element?.querySelector(`option[value="${CSS.escape(value)}"]`);
  const box = element?.querySelector(`input[type=checkbox][value="${CSS.escape(value)}"]`);
  return (option ?? box?.closest("label"))?.textContent.trim() || value;
};

// -- what follows from the answers ------------------------------------------------------------

const item = (words, path) => {
  const made = document.createElement("li");
  const target = path && question(path);
  if (!target) { made.textContent = words; return made; }
  const link = document.createElement("a");
  link.href = "#";
  link.textContent = words;
  link.addEventListener("click", (event) => {
    event.preventDefault();
    target.querySelector("input, select, textarea").focus();
    target.scrollIntoView({ block: "center" });
  });
  made.append(link);
  return made;
};

// What is chosen by itself is nothing that its reader would lose.
const suggest = (list, value) => {
  list.value = value;
  for (const one of list.options) one.defaultSelected = one.selected;
};

const apply = (form) => {
  const hidden = new Set(form.hidden);
  const required = new Set(form.required);
  for (const element of root.querySelectorAll(".question")) {
    const { path } = element.dataset;
    if (element.closest("template")) continue;
    element.hidden = hidden.has(path) && !(path in pending);
    const mark = element.querySelector(".must");
    if (mark) mark.hidden = !required.has(path);
  }
  for (const section of root.querySelectorAll("[data-section]")) {
    const held = Object.keys(pending).some((path) => path.startsWith(`${section.dataset.section}.`));
    section.hidden = form.closed_sections.includes(section.dataset.section) && !held;
  }
  for (const service of root.querySelectorAll("[data-service]")) {
    service.hidden = form.support.length > 0 && !form.support.includes(service.dataset.service);
  }
  document.getElementById("missing")?.replaceChildren(...form.missing.map((m) => item(m.words, m.path)));
  const suggestion = document.getElementById("suggestion");
  if (suggestion) {
    const language = document.querySelector(".languages [aria-pressed=true]")?.value ?? "en";
    suggestion.textContent = form.suggestion
      ? _("Suggested: %(urgency)s, because %(reasons)s.", {
        urgency: _(form.suggestion.urgency),
        reasons: form.suggestion.reasons.map((r) => r[language] ?? r.en).join(_(", ")),
      })
      : _("No sign of danger in the answers.");
    const chosen = document.querySelector("#urgency-form select");
    if (form.suggestion && !form.urgency && !chosen.dataset.touched) suggest(chosen, form.suggestion.urgency);
    document.getElementById("urgency").textContent = form.urgency ? _(form.urgency) : _("not yet");
  }
  if (form.warnings) warn(form.warnings);
  markSections(root);
};

const warn = (warnings) => {
  for (const element of root.querySelectorAll(".question")) {
    if (!element.dataset.path.endsWith(".headline")) continue;
    const path = element.dataset.path;
    if (path in pending) continue;
    trouble(path, warnings.length ? _("This line is not sealed. It looks like it holds %(what)s.", { what: warnings.map((one) => _(one)).join(_(", ")) }) : "");
  }
};

const look = async () => {
  const answer = await fetchOwn(`${api}/state`);
  if (answer.ok) return answer.json();
  return null;
};

// Another window or a colleague has written: fetch newer answers, except those pending here.
let catching = false;
const catchUp = async () => {
  if (catching || sending) { behind = true; return; }
  catching = true;
  behind = false;
  const mine = root;
  try {
    const state = await look();
    if (!state || state.revision <= revision) return;
    const answer = await fetchOwn(api);
    if (!answer.ok) return;
    const record = await answer.json();
    if (root !== mine) return;
    for (const [path, version] of Object.entries(record.versions)) {
      if (version <= (versions[path] ?? 0)) continue;
      if (path in pending) continue;
      versions[path] = version;
      const value = record.answers[path] ?? null;
      if (value === null && root.querySelector(`[data-entry="${path}"]`)) {
        root.querySelector(`[data-entry="${path}"]`).remove();
        number();
      } else {
        if (path.split(".").length > 1 && value !== null) ensureEntry(path);
        show(path, value);
      }
    }
    revision = record.revision;
    apply(state);
  } catch {
    // No connection: the next event of the stream, or the next save, tries again.
    behind = true;
  } finally {
    setTimeout(() => { if (root !== mine) return; catching = false; if (behind && navigator.onLine) catchUp(); }, 1500);
  }
};

// -- start ------------------------------------------------------------------------------------

export const idle = async (limit = 5000) => {
  const until = Date.now() + limit;
  while (Object.values(pending).some((change) => !change.held) && Date.now() < until) {
    if (await flush() === REFUSED) break;
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
  return Object.keys(pending).length === 0;
};

const begin = async () => {
  if (root.hasAttribute("data-closed")) {
    for (const control of root.querySelectorAll("input, select, textarea, button")) control.disabled = true;
  }
  root.addEventListener("input", (event) => {
    if (event.target.matches("[data-filter]")) return;
    const element = event.target.closest(".question");
    if (element) change(element.dataset.path, read(element));
  });
  root.addEventListener("click", (event) => {
    const add = event.target.closest("[data-add]");
    const remove = event.target.closest("[data-remove]");
    if (add) {
      const list = root.querySelector(`[data-entries="${add.dataset.add}"]`);
      const key = `e${Array.from(crypto.getRandomValues(new Uint8Array(6)), (n) => (n % 36).toString(36)).join("")}`;
      const path = `${add.dataset.add}.${key}`;
      ensureEntry(path);
      change(path, list.children.length);
      list.lastElementChild.querySelector("input, select, textarea").focus();
    }
    if (remove) {
      const entry = remove.closest("[data-entry]");
      const path = entry.dataset.entry;
      for (const known of Object.keys(pending)) if (entryOf(known) === path && known !== path) forget(known);
      entry.remove();
      number();
      delete pending[path];
      change(path, null);
    }
  });
  document.querySelector("#urgency-form select")?.addEventListener("change", (event) => { event.target.dataset.touched = "yes"; });
  const mine = root;
  const opened = given ? null : await openOutbox(root.dataset.outbox, root.dataset.keyOfOutbox);
  const left = (await opened?.read()) ?? {};
  // The page was changed meanwhile.
  if (root !== mine) return;
  outbox = opened;
  for (const [path, { value, base }] of Object.entries(left)) {
    if (path in pending) continue;
    if (root.hasAttribute("data-closed")) { leftOver(path, value); continue; }
    pending[path] = { value, base };
    inherited.add(path);
    if (value === null && root.querySelector(`[data-entry="${path}"]`)) root.querySelector(`[data-entry="${path}"]`).remove();
    else { ensureEntry(path); show(path, value); }
  }
  const state = given ? null : await look().catch(() => null);
  if (root !== mine) return;
  if (state) apply(state);
  if (Object.keys(pending).length) {
    say(_("Saving…"), true);
    schedule(0);
  } else if (!root.hasAttribute("data-closed")) settled();
  root.dataset.ready = "yes";
};

// Written before the record was closed or reassigned, and never saved: shown until discarded.
const leftOver = (path, value) => {
  const label = question(path)?.querySelector("label, legend")?.firstChild.textContent.trim() ?? path;
  trouble(`left-${path}`, `${_("Not saved before this record was closed. %(label)s: %(value)s", { label, value: [value ?? _("cleared")].flat().join(_(", ")) })} `, [
    button(_("Discard"), () => { trouble(`left-${path}`); outbox.drop(path, true); }),
  ]);
};

// Begin with the record of this page. After a page change, the one before is forgotten.
export const openRecord = () => {
  const found = document.querySelector("[data-record]");
  if (found === root) return;
  clearTimeout(timer);
  root = found;
  [pending, outbox, sending, timer, behind, stopped, catching] = [{}, null, false, null, false, false, false];
  inherited.clear();
  for (const path of Object.keys(lastSent)) delete lastSent[path];
  api = root?.dataset.record;
  versions = JSON.parse(root?.dataset.versions ?? "{}");
  revision = Number(root?.dataset.revision ?? 0);
  given = root?.hasAttribute("data-preview") ? {} : null;
  for (const entry of given ? root.querySelectorAll("[data-entries] > [data-entry]") : []) {
    give(entry.dataset.entry, [...entry.parentElement.children].indexOf(entry) + 1);
  }
  if (root) begin();
  markSections(root);
};

document.addEventListener("helpline:signed-in", () => { if (root) schedule(0); });
document.addEventListener("helpline:topics", (event) => {
  if (root && !given && event.detail.some((topic) => topic === "record" || topic === "everything")) catchUp();
});
globalThis.addEventListener("online", () => { if (root) schedule(0); });
globalThis.addEventListener("beforeunload", (event) => {
  if (Object.keys(pending).length && !outbox && !given) event.preventDefault();
});
