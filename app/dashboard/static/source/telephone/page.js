// The telephone on the desk: who has it, what it shows, and what the desk's buttons do to it.
// A bundle of its own, loaded only for people whose calls ring in the browser.
import { fetchOwn, me } from "../frame/own.js";
import { _ } from "../words.js";
import { Telephone } from "./telephone.js";

const HEARTBEAT = 20_000;
const TRIES_AGAIN = 5000;
// The server may hear of a ring a moment after the page does.
const ASKS = 25;
const BETWEEN = 200;
// How long a click waits for a telephone that is being repaired.
const RECONNECTS_WITHIN = 10_000;
const LOCK = "helpline-phone";
// From which level on, from 0 to 1, a microphone hears its speaker.
const HEARD = 0.05;

const random = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (n) => (n % 36).toString(36)).join("");
const kept = (name, fresh) => {
  try {
    if (fresh !== undefined) localStorage.setItem(name, fresh);
    return localStorage.getItem(name) ?? "";
  } catch {
    return fresh ?? "";
  }
};
const browser = kept("helpline-browser") || kept("helpline-browser", random());
// Whose page it is goes along also in what the browser sends when the page is left.
const own = { page: `${browser}:${random()}`, me };

const ask = async (path, body) => {
  const answer = await fetchOwn(`/board/telephone${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ ...own, ...body }),
  });
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw Object.assign(new Error(String(answer.status)), { words: said.detail, status: answer.status });
  return said;
};

const box = document.getElementById("telephone");
const place = (name) => box.querySelector(`[data-telephone="${name}"]`);

const WORDS = {
  off: _("Telephone off"),
  asking: _("Asking for the microphone…"),
  ready: _("Telephone ready"),
  ringing: _("Ringing"),
  talking: _("In a talk"),
  reconnecting: _("Reconnecting; you may still be heard"),
  no_microphone: _("No microphone"),
  elsewhere: _("The telephone is in another tab"),
  failed: _("Telephone not connected"),
};

// -- what the server is told ----------------------------------------------------------------------

let reported = "";
let reporting = Promise.resolve();
// One report after the other, so that the last one counts.
const report = (again = false) => {
  reporting = reporting.then(() => send(again));
  return reporting;
};

const send = async (again) => {
  const { state } = telephone;
  if (!held || (reported === state && !again)) return;
  reported = state;
  try {
    const { yours } = await ask("/state", { state });
    if (!yours && !telephone.call && state !== "asking") giveAway();
  } catch {
    // No connection: the next heartbeat says it.
    reported = "";
  }
};

const giveAway = () => telephone.stop("elsewhere", _("Another window or computer has your telephone. Click to have it here."));

const whose = async (sid) => {
  for (let n = 0; n < ASKS; n += 1) {
    const found = await ask("/ring", { call_sid: sid }).catch(({ status }) => ({ own: false, refused: status === 403 }));
    if (found.own || found.refused) return found;
    await new Promise((resolve) => { setTimeout(resolve, BETWEEN); });
  }
  return { own: false };
};

const telephone = new Telephone({
  token: () => ask("", {}),
  whose,
  on: () => { show(); report(); },
});
// For other scripts of the page, for what is tried in a real browser, and for a look from the console.
globalThis.helplineTelephone = telephone;

// -- what is shown --------------------------------------------------------------------------------

const QUALITY = { good: _("Connection good"), fair: _("Connection fair"), poor: _("Connection poor: speak slowly, or plug in a cable") };

// What is said aloud of it: that it rings, and that it cannot be used. All else is only shown.
const ALOUD = { ringing: "assertive", reconnecting: "polite", no_microphone: "polite", elsewhere: "polite", failed: "polite" };
const put = (name, text) => {
  const one = place(name);
  if (one.textContent !== text) one.textContent = text;
};

let shown = "off";
const show = () => {
  const { state, words, quality } = telephone;
  box.dataset.state = state;
  const talking = state === "talking" && words === "connecting" ? _("Connecting the sound…") : WORDS[state];
  place("state").setAttribute("aria-live", ALOUD[state] ?? "off");
  put("state", telephone.muted && telephone.call ? _("%(state)s, microphone off", { state: talking }) : talking);
  put("words", words === "connecting" ? "" : words);
  put("quality", telephone.call ? QUALITY[quality] ?? "" : "");
  // What needs a click opens by itself.
  if (state !== shown && ["ringing", "no_microphone", "elsewhere", "failed"].includes(state)) box.open = true;
  if (state !== shown && state === "ready") box.open = false;
  shown = state;
  delete box.dataset.ringing;
  delete box.dataset.help;
  if (state === "ringing") Object.assign(box.dataset, { ringing: "telephone", ringingWords: words });
  // A call for help has one name in its bar and here, so that the page calls once.
  if (state === "ringing" && telephone.help) box.dataset.help = telephone.help;
  document.dispatchEvent(new CustomEvent("helpline:telephone"));
  place("start").hidden = !["off", "no_microphone", "elsewhere", "failed"].includes(state);
  place("answer").hidden = state !== "ringing";
  place("keypad").hidden = !telephone.call || state === "ringing";
  if (!telephone.call) place("keypad").open = false;
};

// -- who has it -----------------------------------------------------------------------------------

let held = false;

const hold = () => {
  if (held || !navigator.locks) { held = true; return Promise.resolve(true); }
  return new Promise((resolve) => {
    navigator.locks.request(LOCK, { ifAvailable: true }, (lock) => {
      if (!lock) { resolve(false); return undefined; }
      held = true;
      resolve(true);
      // Kept until the page is gone.
      return new Promise(() => {});
    });
  });
};

const begin = async () => {
  if (!(await hold())) {
    telephone.set("elsewhere", _("Another tab of this browser has your telephone. Use that tab, or close it."));
    return telephone.state;
  }
  await telephone.start({ microphone: kept("helpline-microphone"), speaker: kept("helpline-speaker") });
  await lookWhetherHeard();
  if (telephone.state === "failed") setTimeout(() => { if (telephone.state === "failed") start(); }, TRIES_AGAIN);
  return telephone.state;
};
// Two clicks wait for the same start.
let starting = null;
const start = () => (starting ??= begin().finally(() => { starting = null; }));

// -- the microphone check -------------------------------------------------------------------------

const dialog = document.getElementById("microphone");
const check = (name) => dialog.querySelector(`[data-check=${name}]`);
const trouble = (words) => {
  const place = dialog.querySelector("[role=alert]");
  place.textContent = words;
  place.hidden = !words;
};
let quiet;
const listen = async () => {
  quiet?.();
  quiet = null;
  trouble("");
  delete dialog.dataset.heard;
  try {
    quiet = await Telephone.levels(kept("helpline-microphone"), (level) => {
      dialog.querySelector("meter").value = level;
      if (level <= HEARD || dialog.dataset.heard) return;
      dialog.dataset.heard = "yes";
      trouble("");
    });
    // Closed before the microphone was open.
    if (!dialog.open) { quiet(); quiet = null; }
  } catch (error) {
    kept("helpline-microphone", "");
    trouble(error.name === "NotAllowedError"
      ? _("The browser may not use the microphone. Allow it at the left of the address, and try again.")
      : _("No microphone was found. Plug in your headset, and try again."));
  }
  await devices();
};

// Which microphone is used, as this browser names it: empty if it does not say.
const microphone = async () => {
  const all = await navigator.mediaDevices?.enumerateDevices() ?? [];
  const inputs = all.filter((one) => one.kind === "audioinput");
  const used = inputs.find((one) => one.deviceId === kept("helpline-microphone")) ?? inputs[0];
  return used?.label ? `${used.deviceId} ${used.label}` : "";
};
// The microphone with which the counsellor was heard last in this browser.
let heardWith = kept("helpline-heard");
let wasHeard = false;
const lookWhetherHeard = async () => {
  const used = await microphone();
  // A browser that names no microphone asks once for each page, and when a device is plugged in.
  wasHeard = used ? used === heardWith : heardWith === "unnamed";
};
const rememberHeard = async () => {
  const used = await microphone();
  heardWith = used || "unnamed";
  kept("helpline-heard", used);
  wasHeard = true;
};

// Open the check. Resolves to whether its reader was heard and goes on.
const openCheck = (goesOn) => new Promise((resolve) => {
  check("heard").hidden = check("later").hidden = !goesOn;
  check("done").hidden = goesOn;
  dialog.returnValue = "";
  dialog.addEventListener("close", () => resolve(dialog.returnValue === "heard"), { once: true });
  dialog.showModal();
  (goesOn ? check("heard") : check("done")).focus();
  listen();
});

const devices = async () => {
  const all = await navigator.mediaDevices.enumerateDevices();
  for (const [kind, name] of [["audioinput", "microphone"], ["audiooutput", "speaker"]]) {
    const list = dialog.querySelector(`[name=${name}]`);
    const found = all.filter((one) => one.kind === kind && one.deviceId && one.label);
    list.replaceChildren(new Option(_("As the computer is set"), ""), ...found.map((one) => new Option(one.label, one.deviceId)));
    list.value = kept(`helpline-${name}`);
    list.closest("label").hidden = found.length === 0;
  }
};

dialog.addEventListener("change", async (event) => {
  kept(`helpline-${event.target.name}`, event.target.value);
  await telephone.choose({ microphone: kept("helpline-microphone"), speaker: kept("helpline-speaker") });
  if (event.target.name === "microphone") listen();
});
dialog.addEventListener("close", () => {
  quiet?.();
  quiet = null;
  if (dialog.dataset.heard && ["heard", "done"].includes(dialog.returnValue)) rememberHeard();
});
check("heard").addEventListener("click", (event) => {
  if (dialog.dataset.heard) return;
  event.preventDefault();
  trouble(_("Nothing was heard yet. Speak, or choose another microphone."));
});
document.addEventListener("click", (event) => {
  if (event.target.closest?.("[data-telephone=check]")) openCheck(false);
});
// A tone from the chosen headset, to hear that it is the right one.
dialog.querySelector("[data-tone]").addEventListener("click", () => Telephone.tone(kept("helpline-speaker")));

// -- the desk's buttons --------------------------------------------------------------------------

place("start").addEventListener("click", start);
place("accept").addEventListener("click", () => telephone.accept());
place("decline").addEventListener("click", () => telephone.hangUp());
// In the menu of the telephone and in the call bar.
document.addEventListener("click", (event) => {
  const key = event.target.closest?.("[data-press]")?.dataset.press;
  if (key) telephone.press(key);
});

// The buttons that need a telephone wait for it: without one a counsellor cannot become available,
// and a supervisor cannot listen in.
const NEEDS = "#be-available, #ready, [data-needs-telephone], [hx-post^='/board/talks/']:not([hx-post$='/leave']):not([hx-post$='/end'])";
let passed = null;
let wanted = null;
document.addEventListener("click", async (event) => {
  const button = event.target.closest?.(NEEDS);
  if (!button || passed === button) { passed = null; return; }
  // Without a connection the click itself is refused, with words.
  if (document.body.hasAttribute("data-stale")) return;
  telephone.wake();
  const isHeard = () => button.id !== "be-available" || wasHeard || telephone.state === "talking";
  if (["ready", "talking"].includes(telephone.state) && isHeard()) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  // A second click on the same button waits already; one on another button takes its place.
  if (wanted === button.id) return;
  wanted = button.id;
  say(_("The telephone is starting. What you clicked is done as soon as it is ready."));
  let state = await beReady();
  if (wanted === button.id && state === "ready") await lookWhetherHeard();
  if (wanted === button.id && state === "ready" && !isHeard()) {
    say("");
    if (!(await openCheck(true)) && wanted === button.id) {
      wanted = null;
      return;
    }
    ({ state } = telephone);
  }
  if (wanted !== button.id) return;
  wanted = null;
  const there = button.isConnected ? button : document.getElementById(button.id);
  if (state !== "ready") return say(_("This was not done: %(why)s", { why: telephone.words || WORDS[state] }));
  if (!there) return say(_("This was not done: the page has changed meanwhile. Look at it again."));
  say("");
  await report();
  passed = there;
  there.click();
}, true);

// Resolves with the state of the telephone once it is ready or cannot be.
const beReady = async () => {
  let { state } = telephone;
  if (state === "ready") return state;
  if (state !== "ringing" && state !== "reconnecting") state = await start();
  for (const until = Date.now() + RECONNECTS_WITHIN; state === "reconnecting" && Date.now() < until; state = telephone.state) {
    await new Promise((resolve) => { setTimeout(resolve, BETWEEN); });
  }
  return state;
};

const says = document.getElementById("telephone-says");
const say = (words) => { says.textContent = words; says.hidden = !words; };
says.addEventListener("click", () => say(""));

// The microphone is off at the click, before the provider knows of it. It is on again only when the
// server, asked after the click, says that neither hold nor mute is in force. What the page shows may
// be older than the click, also after the answer: the stream can bring what was made before it.
const ASKS_WITHIN = 15_000; // milliseconds
let asked = null; // { path, until, isDone } of a click, until the page shows what came of it
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("#hold, #mute[aria-pressed=false]");
  if (!button) return;
  // Without a connection the click is refused: the child must go on hearing the counsellor.
  if (document.body.hasAttribute("data-stale")) return;
  asked = { path: button.getAttribute("hx-post"), until: Date.now() + ASKS_WITHIN, isDone: false };
  setTimeout(follow, ASKS_WITHIN + 50);
  telephone.mute(true);
  show();
}, true);

const follow = () => {
  const live = document.getElementById("live-call");
  const off = live?.hasAttribute("data-muted") ?? false;
  if (live && asked && Date.now() < asked.until && !(asked.isDone && off)) return;
  asked = null;
  if (off !== telephone.muted) { telephone.mute(off); show(); }
};
document.addEventListener("htmx:afterSwap", () => { follow(); startAgain(); });
// The request itself is listened to: a refresh may have taken its button out of the page before the
// answer comes, and then no event of htmx gets here.
document.addEventListener("htmx:beforeSend", (event) => {
  const { requestConfig, xhr } = event.detail;
  const mine = asked;
  if (!mine || requestConfig.path !== mine.path) return;
  xhr.addEventListener("loadend", () => {
    if (asked !== mine) return;
    const answer = new DOMParser().parseFromString(xhr.responseText, "text/html").getElementById("live-call");
    if (xhr.status === 200 && answer?.hasAttribute("data-muted")) mine.isDone = true;
    else asked = null;
    follow();
  });
});

// Loaded again, perhaps in the middle of a talk: connect at once. Only the state at the beginning
// counts: a page that stands open elsewhere must not take the telephone from the one in use.
let tried = false;
const startAgain = () => {
  const state = document.querySelector(".callbar")?.dataset.state;
  if (tried || !state || !navigator.mediaDevices) return;
  tried = true;
  if (["available", "offered", "on_call", "writing", "wrap_up"].includes(state)) start();
};

// -- life -----------------------------------------------------------------------------------------

addEventListener("pagehide", () => {
  if (!held) return;
  const body = new Blob([JSON.stringify({ ...own, state: "off" })], { type: "application/json" });
  navigator.sendBeacon("/board/telephone/state", body);
});
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
document.addEventListener("click", () => telephone.wake(), { capture: true });
navigator.mediaDevices?.addEventListener?.("devicechange", async () => {
  if (heardWith === "unnamed") heardWith = "";
  await lookWhetherHeard();
  if (dialog.open) devices();
});
setInterval(() => report(true), HEARTBEAT);
document.addEventListener("helpline:report", () => report(true));
// By the new session the telephone can ring again.
document.addEventListener("helpline:signed-in", () => report(true));

if (!navigator.mediaDevices) {
  telephone.set("no_microphone", _("This page is not secure (https), so the browser gives it no microphone."));
}
show();
follow();
startAgain();
lookWhetherHeard();
