// Requests that may need another proof of who the reader is: a dialog asks for it over the page, and
// then the request is sent again. What was typed stays where it is.
import { refuse } from "../live.js";
import { _ } from "../words.js";
import { fetchOwn, isOfAnother, me } from "./own.js";
import { answer as passkeyAnswer, canPasskeys, challenge } from "./passkeys.js";
import { resend, signIn } from "./signed_out.js";

const OWN = "/api/v1/me/proof";

const problem = (dialog, words) => {
  const place = dialog.querySelector("[role=alert]");
  place.textContent = words ?? "";
  place.hidden = !words;
};

// A call that rings, and a counsellor who needs help, are never behind the dialog: it steps aside,
// and what was typed stays on the page.
const isNeeded = () => Boolean(document.querySelector("[data-ringing], [data-take]"));
document.addEventListener("htmx:afterSettle", () => { if (isNeeded()) document.getElementById("proof")?.close(); });

const send = (body) => fetchOwn(OWN, {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(body),
});

const byPasskey = async () => ({ passkey: await passkeyAnswer(await challenge(fetchOwn, `${OWN}/passkey`)) });

const show = (by, hasPasskey) => new Promise((resolve) => {
  document.body.append(document.getElementById("proof-blank").content.cloneNode(true));
  const dialog = document.getElementById("proof");
  let proved = false;
  for (const label of dialog.querySelectorAll("[data-by]")) if (label.dataset.by !== by) label.remove();
  // What is given first: a field to type into, or the way to the provider.
  const field = dialog.querySelector("[data-by] input, [data-by] a");
  const form = dialog.querySelector("form");
  const passkey = dialog.querySelector("[data-passkey-proof]");
  const buttons = [form.querySelector(":scope > .buttons:last-child button"), passkey.querySelector("button")];
  // Where a passkey alone counts, there is nothing to type.
  buttons[0].hidden = by === "passkey";
  // `given` returns what is sent.
  const give = async (given) => {
    if (buttons.some((one) => one.disabled)) return;
    for (const one of buttons) one.disabled = true;
    try {
      const what = await given();
      const answer = what ? await send(what) : await fetchOwn(OWN);
      if (!what && answer.ok && !(await answer.clone().json()).fresh) {
        return problem(dialog, _("You have not signed in again yet."));
      }
      // Who signs in proves it by that.
      if (answer.status === 401) await signIn();
      proved = answer.ok || answer.status === 401;
      if (proved) return dialog.close();
      problem(dialog, (await answer.json()).detail);
      field?.select?.();
    } catch (error) {
      problem(dialog, error instanceof TypeError ? _("The server did not respond. Try again.") : error.message);
    } finally {
      for (const one of buttons) one.disabled = false;
    }
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (by !== "passkey") give(() => (by === "provider" ? null : { proof: field.value }));
  });
  passkey.hidden = !hasPasskey || !canPasskeys();
  passkey.querySelector("button").addEventListener("click", () => give(byPasskey));
  form.querySelector("[data-cancel]").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    // No password stays in the page.
    dialog.remove();
    resolve(proved);
  });
  dialog.showModal();
  const cancel = form.querySelector("[data-cancel]");
  (passkey.hidden ? field ?? cancel : passkey.querySelector("button")).focus();
});

let asking = null;
const ask = async () => {
  const answer = await fetchOwn(OWN);
  if (answer.status === 401) return signIn().then(() => true);
  if (!answer.ok) return false;
  const { by, passkey, fresh } = await answer.json();
  return fresh || (!isNeeded() && show(by, passkey));
};

// Ask for a proof if the last one is too old. Resolves to whether there is one now.
const prove = () => {
  asking ??= ask().catch(() => false).finally(() => { asking = null; });
  return asking;
};

// Milliseconds after which it cannot be asked.
const ASKS_WITHIN = 3000;
// Whether the person of this page is the one who is signed in, as far as it can be asked.
const isOwn = async () => {
  if (!me) return true;
  const answer = await fetchOwn("/api/v1/me", { signal: AbortSignal.timeout(ASKS_WITHIN) }).catch(() => null);
  // What was to be sent goes on after the sign-in.
  if (answer?.status === 401) return signIn().then(() => true);
  if (!answer || !isOfAnother(answer)) return true;
  const notice = document.createElement("p");
  notice.className = "notice";
  notice.setAttribute("role", "alert");
  notice.textContent = (await answer.json()).detail;
  refuse(notice);
  return false;
};

const needsProof = async (answer) => answer.status === 403
  && (await answer.clone().json().catch(() => ({}))).error === "ProofNeeded";

// Send a request; if it needs a sign-in or a proof, ask for that first. Null: the reader does not
// want to.
export const request = async (url, options) => {
  const answer = await fetchOwn(url, options);
  if (answer.status === 401) {
    await signIn();
    return request(url, options);
  }
  if (!(await needsProof(answer))) return answer;
  return (await prove()) ? request(url, options) : null;
};

document.addEventListener("htmx:beforeOnLoad", (event) => {
  if (event.detail.xhr.getResponseHeader("Helpline-Proof") !== "needed") return;
  event.preventDefault();
  prove().then((proved) => { if (proved) resend(event.detail); });
});

// The forms and links of which it is being asked.
const asked = new Set();
const mayBeSent = async (one) => {
  if (asked.has(one)) return false;
  asked.add(one);
  return ("proves" in one.dataset ? prove() : isOwn()).finally(() => asked.delete(one));
};

// A file is fetched by the browser itself, so the proof comes before it, and whose page it is.
document.addEventListener("click", async (event) => {
  const link = event.target.closest?.("a[data-proves], a[download]");
  if (!link || event.defaultPrevented) return;
  event.preventDefault();
  if (!(await mayBeSent(link))) return;
  const file = document.createElement("a");
  file.href = link.href;
  file.download = link.download;
  file.click();
});

// A form that the browser sends itself, as with a file, would be refused on a page of its own, and does
// not say whose page it is: both are asked before it is sent.
let ready = null;
document.addEventListener("submit", async (event) => {
  const { target: form, submitter } = event;
  if (event.defaultPrevented || form === ready || !form.matches("form[data-whole]")) return;
  event.preventDefault();
  if (!(await mayBeSent(form))) return;
  ready = form;
  form.requestSubmit(submitter);
  ready = null;
});
