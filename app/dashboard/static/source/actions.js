// Buttons and forms that send JSON. A refusal is shown on the page, and the form keeps its values.
import { instantIn, zoneOf } from "./frame/zones.js";
import htmx from "htmx.org";
import { isRefused } from "./frame/current.js";
import { request } from "./frame/proof.js";
import { again, open } from "./pages.js";
import { idle } from "./record.js";
import { _ } from "./words.js";

const problem = (words) => {
  const place = document.getElementById("problem");
  if (!place) return;
  place.textContent = words ?? "";
  place.hidden = !words;
  if (words) place.scrollIntoView({ block: "nearest" });
};

// What is done in a part of the page that draws itself (`data-here`) draws that part again, and leaves
// the rest of the page, with what is being typed, as it is.
const drawAgain = (from) => {
  const part = from?.hasAttribute("data-here") && from.closest("[data-topics], [data-pushed]");
  return part ? htmx.trigger(part, "refresh") : again();
};

// Without an answer the reader has not proved who they are, and nothing was done.
const then = async (answer, where, from) => {
  if (!answer) return undefined;
  const body = answer.status === 204 ? {} : await answer.json().catch(() => ({}));
  if (!answer.ok) return problem(body.detail ?? _("That did not work. Try again."));
  if (where) return open(where.endsWith("/") ? where + body.id : where);
  return drawAgain(from);
};

const send = async (url, body, where, from) => {
  problem();
  // Save what is still being typed first.
  if (document.querySelector("[data-record]:not([data-closed], [data-preview])") && !(await idle())) {
    return problem(_("Part of the form is not saved yet. Check the form first."));
  }
  try {
    const answer = await request(url, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    return await then(answer, where, from);
  } catch {
    return problem(_("The server did not respond. Reload and check whether it was done before you try again."));
  }
};

const values = (form) => {
  const body = {};
  for (const field of form.elements) {
    if (!field.name || field.value === "") continue;
    if ("list" in field.dataset) {
      (body[field.name] ??= []).push(...field.value.split(",").map((one) => one.trim()).filter(Boolean));
    } else if ("yesNo" in field.dataset) body[field.name] = field.value === "true";
    else if (field.type === "checkbox") {
      if (field.value === "true") body[field.name] = field.checked;
      else if (field.checked) (body[field.name] ??= []).push(field.value);
    } else if ("instant" in field.dataset) body[field.name] = instantIn(field.value, zoneOf(field)).toISOString();
    else body[field.name] = field.value;
  }
  return body;
};

const upload = async (form) => {
  const file = form.elements.file.files[0];
  problem();
  try {
    const answer = await request(form.dataset.upload, {
      method: "POST",
      headers: {
        "Content-Type": "application/octet-stream",
        "X-Document-Name": encodeURIComponent(file.name),
        "X-Document-Details": form.elements.details.value,
      },
      body: file,
    });
    await then(answer);
  } catch {
    problem(_("There is no connection, or the document is too large. Nothing was saved."));
  }
};

const takeIn = async (form) => {
  problem();
  const answer = await request(form.dataset.csv, {
    method: "POST",
    headers: { "Content-Type": form.dataset.kind ?? "text/csv" },
    body: form.elements.file.files[0],
  });
  await then(answer);
};

const download = async (url, body) => {
  problem();
  const answer = await request(url, { method: "POST", headers: { "Content-Type": "application/json" }, body });
  if (!answer) return;
  if (!answer.ok) return problem((await answer.json()).detail);
  save(await answer.blob(), "referral.pdf");
  setTimeout(again, 500);
};

const save = (blob, name) => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
};

const print = async (form) => {
  problem();
  const answer = await request(form.dataset.print, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(values(form)),
  });
  if (!answer) return;
  if (!answer.ok) return problem((await answer.json()).detail);
  save(await answer.blob(), "case.pdf");
};

// The opened number is shown until the reader leaves the page. It is stored nowhere.
const reveal = async (form) => {
  problem();
  const answer = await request(form.dataset.number, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(values(form)),
  });
  if (!answer) return;
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) return problem(body.detail ?? _("That did not work. Try again."));
  form.querySelector("output").textContent = body.number;
};

// Ignore a second click while the first is under way, and refuse one without a connection.
const once = async (button, act) => {
  if (button?.disabled || isRefused()) return;
  if (button) button.disabled = true;
  try {
    await act();
  } finally {
    if (button) button.disabled = false;
  }
};

document.addEventListener("click", (event) => {
  const getter = event.target.closest("[data-download]");
  if (getter) return once(getter, () => download(getter.dataset.download, getter.dataset.body ?? "{}"));
  const button = event.target.closest("[data-post]");
  if (!button) return;
  event.preventDefault();
  once(button, () => send(button.dataset.post, JSON.parse(button.dataset.body ?? "{}"), button.dataset.then, button));
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  const act = form.dataset.json ? () => send(form.dataset.json, values(form), form.dataset.then, form)
    : form.dataset.upload ? () => upload(form)
      : form.dataset.number ? () => reveal(form)
      : form.dataset.print ? () => print(form)
        : form.dataset.csv ? () => takeIn(form) : null;
  if (!act) return;
  event.preventDefault();
  once(event.submitter, act);
});
