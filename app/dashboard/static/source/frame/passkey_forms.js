// The forms that need a passkey. What is said is read out, and the focus stays on the button.
import { answer, canPasskeys, challenge, noPasskeys } from "./passkeys.js";
import { request } from "./proof.js";

const problem = (form, words) => {
  const place = form.querySelector("[data-passkey-problem]");
  place.textContent = words ?? "";
  place.hidden = !words;
};

// A form whose field is filled, and which is on its way.
let ready = null;

const fill = async (form, submitter) => {
  const { passkey, passkeyMakes } = form.dataset;
  const options = await challenge(request, passkey);
  if (!options) return;
  const given = await answer(options, passkeyMakes !== undefined);
  form.elements.credential.value = JSON.stringify(given);
  ready = form;
  form.requestSubmit(submitter);
  ready = null;
  // It counts once.
  form.elements.credential.value = "";
};

document.addEventListener("submit", async (event) => {
  const form = event.target;
  const { passkey, passkeyUnless } = form.dataset;
  if (!passkey || form === ready) return;
  if (passkeyUnless && form.elements[passkeyUnless]?.value) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (form.hasAttribute("aria-busy")) return;
  form.setAttribute("aria-busy", "true");
  problem(form);
  try {
    await fill(form, event.submitter);
  } catch (error) {
    problem(form, error.message);
  } finally {
    form.removeAttribute("aria-busy");
  }
}, { capture: true });

// A browser without passkeys says so before anything is tried.
export const passkeyForms = () => {
  if (canPasskeys()) return;
  for (const form of document.querySelectorAll("form[data-passkey]:not([data-passkey-unless])")) {
    problem(form, noPasskeys());
    for (const button of form.querySelectorAll("button")) button.disabled = true;
  }
};
