// When the sign-in has ended, a sheet comes over the page. The page below stays as it is, unseen, with
// what was typed in it; it goes on when the same person has signed in. For another person it goes.
import htmx from "htmx.org";
import { _ } from "../words.js";
import { mark, me } from "./own.js";
import { answer as passkeyAnswer, canPasskeys, challenge } from "./passkeys.js";

const blank = document.getElementById("signed-out-blank");
// While it is open.
let sheet = null;
let form = null;

export const isSignedOut = () => document.body.hasAttribute("data-signed-out");

const problem = (words) => {
  const place = sheet.querySelector("[role=alert]");
  place.textContent = words ?? "";
  place.hidden = !words;
};

let waiting = null;
let resolve = null;
// Whether the page has begun to give way to another person.
let gives = false;
// The person of this page is the one who is signed in, again.
export const stays = () => { gives = false; };

const goOn = (person) => {
  if (!isSignedOut()) return undefined;
  // No password stays in the page, also where its reader does not let it go.
  for (const typed of [form.elements.password, form.elements.code]) typed.value = "";
  stays();
  if (person.id !== me) return location.replace("/");
  document.body.removeAttribute("data-signed-out");
  sheet.close();
  sheet.remove();
  [sheet, form, waiting] = [null, null, null];
  resolve();
  return document.dispatchEvent(new CustomEvent("helpline:signed-in"));
};

const send = async (withPasskey) => {
  const code = sheet.querySelector("[data-code]");
  const { username, password, code: typed } = form.elements;
  const given = { username: username.value, password: password.value };
  const passkey = withPasskey ? await passkeyAnswer(await challenge(fetch, "/api/v1/session/passkey", given)) : null;
  const answer = await fetch("/api/v1/session", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ ...given, code: typed.value || null, passkey }),
  });
  const body = await answer.json();
  if (answer.ok) return goOn(body);
  if (body.error === "CodeNeeded") {
    code.hidden = false;
    typed.required = true;
    sheet.querySelector("[data-with-passkey]").hidden = !canPasskeys();
    problem();
    return typed.focus();
  }
  problem(body.detail);
  if (body.error === "PasskeyNeeded") {
    const use = sheet.querySelector("[data-with-passkey]");
    [use.hidden, use.disabled] = [!canPasskeys(), false];
    return use.focus();
  }
  return (body.error === "WrongCode" ? typed : password).select();
};

const submit = async (event) => {
  event.preventDefault();
  const buttons = [...form.querySelectorAll("button")];
  if (buttons.some((one) => one.disabled)) return;
  for (const one of buttons) one.disabled = true;
  try {
    await send(event.type === "click");
  } catch (error) {
    problem(error instanceof TypeError ? _("The server did not respond. Try again.") : error.message);
  } finally {
    for (const one of buttons) one.disabled = false;
  }
};

const open = () => {
  document.body.append(blank.content.cloneNode(true));
  sheet = document.getElementById("signed-out");
  form = sheet.querySelector("form");
  form.addEventListener("submit", submit);
  form.querySelector("[data-with-passkey]").addEventListener("click", submit);
  // Only signing in leads on.
  sheet.addEventListener("cancel", (event) => event.preventDefault());
  sheet.addEventListener("close", () => { if (isSignedOut()) sheet.showModal(); });
  sheet.showModal();
  form.elements.password.focus();
};

// Let the reader sign in again, and go on then. Resolves once they have.
export const signIn = () => {
  if (!blank) {
    location.assign("/login");
    return new Promise(() => {});
  }
  waiting ??= new Promise((done) => {
    resolve = done;
    document.body.setAttribute("data-signed-out", "");
    open();
  });
  return waiting;
};

// The reader has signed in by another window.
export const lookAgain = async () => {
  if (!isSignedOut()) return;
  const answer = await fetch("/api/v1/me");
  if (answer.ok) goOn(await answer.json());
};

// A page that its reader leaves goes by itself, and is led nowhere else; one that was only to bring a file
// stays, and gives way a little later. Milliseconds.
const LEAVES_WITHIN = 5000;
// A reader who wants to stay is asked again after this time.
const ASKS_AGAIN = 60_000;
let notBefore = 0;
const leaveAlone = (time) => { notBefore = Math.max(notBefore, performance.now() + time); };
addEventListener("beforeunload", () => leaveAlone(LEAVES_WITHIN));

// What is typed and not sent goes with the page only if its reader lets it. A record keeps its words
// by itself, and so does a conversation.
const KEPT = "[data-record], [data-draft], [type=search], form[method=get]";
// In a list that says nothing else, the first line is chosen.
const isChosen = ({ multiple, options }) => {
  const all = [...options];
  const said = all.filter((one) => one.defaultSelected);
  const first = multiple ? said : [said.at(-1) ?? all.find((one) => !one.disabled)];
  return all.some((one) => one.selected !== first.includes(one));
};
const isChanged = (one) => {
  if (one.options) return isChosen(one);
  if (["checkbox", "radio"].includes(one.type)) return one.checked !== one.defaultChecked;
  return one.value !== one.defaultValue;
};
const isTyped = (one) => one.form && !one.closest(KEPT) && isChanged(one);
addEventListener("beforeunload", (event) => {
  if (gives && [...document.querySelectorAll("textarea, input, select")].some(isTyped)) event.preventDefault();
});

let timer;
const goIfOther = async () => {
  const answer = await fetch("/api/v1/me").catch(() => null);
  if (!answer?.ok) return false;
  if ((await answer.json()).id === me) {
    stays();
    return false;
  }
  if (globalThis.helplineTelephone?.call) return true;
  const rest = notBefore - performance.now();
  clearTimeout(timer);
  if (rest > 0) timer = setTimeout(giveWay, rest);
  else {
    leaveAlone(ASKS_AGAIN);
    gives = true;
    location.replace("/");
  }
  return true;
};
let looks = null;
// A request of this page is refused: another person may have signed in by another window. Then the page
// goes, and with it the telephone of the one before, but no call that goes on in it. Resolves with
// whether it is another person.
export const giveWay = () => (looks ??= goIfOther().finally(() => { looks = null; }));
document.addEventListener("helpline:refused", giveWay);
document.addEventListener("htmx:configRequest", (event) => mark(event.detail.headers));
// The way back is a request without that event.
document.addEventListener("htmx:historyCacheMiss", ({ detail }) => {
  for (const [name, value] of Object.entries(mark())) detail.xhr.setRequestHeader(name, value);
});

// Send a request of a form again, with what was in it.
export const resend = ({ requestConfig, pathInfo, target, etc }) => htmx.ajax(
  requestConfig.verb, pathInfo.requestPath,
  { source: requestConfig.elt, target, swap: etc.swapOverride, select: etc.select, push: etc.push, values: requestConfig.formData },
);

// Parts of the page are fetched anew after the sign-in; what the reader wanted is done then.
const isPart = ({ requestConfig, target }) => requestConfig.verb === "get" && target?.id !== "main";
document.addEventListener("htmx:beforeOnLoad", (event) => {
  if (event.detail.xhr.status !== 401 || !blank) return;
  event.preventDefault();
  const signedIn = signIn();
  if (!isPart(event.detail)) signedIn.then(() => resend(event.detail));
});
