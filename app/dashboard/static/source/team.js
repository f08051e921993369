// The team page, and the call for help that is on every page of a supervisor.
import htmx from "htmx.org";

// A form that set a person's state begins anew; what was refused stays as it was chosen.
const refused = (request) => request?.getResponseHeader("HX-Trigger") === "stateRefused";
document.addEventListener("htmx:afterRequest", (event) => {
  const form = event.target.closest?.("form[id^=set-form-]");
  if (form && event.detail.successful && !refused(event.detail.xhr)) form.reset();
});

// The rows of a team are drawn once for all its supervisors: here each finds their own.
const markOwn = () => {
  const mine = document.getElementById(`person-${document.body.dataset.me}`);
  mine?.querySelector("details")?.setAttribute("hidden", "");
  mine?.querySelector(".me")?.removeAttribute("hidden");
};
document.addEventListener("htmx:afterSwap", markOwn);
markOwn();

const wait = (milliseconds) => new Promise((done) => { setTimeout(done, milliseconds); });
const TELEPHONE_STARTS = 4000;

// Without a telephone the supervisor could take the call for help, but not come into the talk: start
// it first. It never keeps the supervisor from taking the call.
const startTelephone = async () => {
  const there = () => ["ready", "ringing", "talking"].includes(globalThis.helplineTelephone?.state);
  if (!globalThis.helplineTelephone || there()) return;
  document.querySelector("#telephone [data-telephone=start]:not([hidden])")?.click();
  for (const until = Date.now() + TELEPHONE_STARTS; Date.now() < until && !there();) await wait(100);
  // The telephone reports its state to the server in a separate request.
  if (there()) await wait(400);
};

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-take]");
  if (!button || button.disabled) return;
  button.disabled = true;
  // It rings at this supervisor already: taking it is the answer, too. What rings for another call
  // for help is not answered.
  const telephone = document.getElementById("telephone");
  const same = telephone?.dataset.help === button.closest("[data-help]")?.dataset.help;
  const answer = same && telephone?.querySelector("[data-telephone=answer]:not([hidden]) [data-telephone=accept]");
  if (answer) answer.click();
  else await startTelephone();
  button.disabled = false;
  htmx.trigger(button, "take");
});
