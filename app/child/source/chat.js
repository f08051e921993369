// The page on which a child writes. See docs/developers/chats.md.

import { ask, canStream, fits, stream, tell } from "./ask.js";
import { $, aKey, facts, say, show } from "./facts.js";
import * as leaving from "./leaving.js";
import * as log from "./log.js";
import * as secret from "./secret.js";
import * as sending from "./sending.js";
import * as typing from "./typing.js";
import * as views from "./views.js";

const BEAT = 20000;
const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 15000;

// The conversation as it was read last; none: there is no conversation.
let seen = null;
// Counted up when a conversation begins or is left: what still runs for an earlier one stops.
let round = 0;
let streams = canStream;
let current = null;
let looking = null;
let lookAgain = false;
let lastSeen = 0;
let pausesOver = [];
// Words that were not sent before the conversation ended, until the helpline has them after all; if it
// cannot have them, the next conversation begins with them. They are kept in this page alone, and for a
// while: a tab or a disk would show them to the next person.
let kept = [];
let keptTimer;
const KEPT = 30 * 60000;

const sleep = (time) =>
  new Promise((resolve) => {
    setTimeout(resolve, time);
    pausesOver.push(resolve);
  });

/** Keep what could not be sent. */
function keepUnsent(words) {
  kept = kept.concat(words);
  clearTimeout(keptTimer);
  keptTimer = setTimeout(() => {
    kept = [];
  }, KEPT);
}

// -- the network --------------------------------------------------------------------------------

function network(key) {
  if (!leaving.isGone()) show($("network"), key ? say(key) : "");
}

function refused(status) {
  if (status === 404 || status === 401) gone();
  else network("busy");
}

/** The conversation cannot be read any more. */
function gone() {
  stop();
  views.open("start");
  show($("start-notice"), say("gone"));
}

function stop() {
  // Also the next conversation says it, if it is not answered until then.
  if (cried && secret.secret()) tell("/conversation/end", { danger: true }, []);
  round += 1;
  if (current) current.abort();
  current = null;
  seen = null;
  lastSeen = 0;
  keepUnsent(firstWords.concat(sending.unsent()));
  firstWords = [];
  messageLeft = null;
  secret.forget();
  sending.clear();
}

// -- reading ------------------------------------------------------------------------------------

/** Read what is new. Who asks while it is read, has it read once more. */
function look() {
  if (looking) {
    lookAgain = true;
    return looking;
  }
  looking = (async () => {
    const of = round;
    try {
      do {
        lookAgain = false;
        const answer = await ask("GET", `/conversation?after=${log.lastNumber()}`);
        if (of !== round) return;
        take(answer);
      } while (lookAgain && seen && seen.phase !== "ended");
    } finally {
      looking = null;
    }
  })();
  return looking;
}

function take({ ok, status, body }) {
  if (leaving.isGone()) return;
  if (!ok) {
    refused(status);
    return;
  }
  if (!sending.unsent().length) network("");
  if (!seen) showLetters(body);
  seen = body;
  log.writtenIn(body.language);
  sendFirstWords();
  body.messages.forEach((one) => one.client_key && sending.arrived(one.client_key));
  log.add(body.messages);
  log.mark(body);
  if (body.messages.length >= 200) lookAgain = true;
  if (body.phase === "ended") {
    // A message that is being left ends it, and its code is still to come.
    if (!messageLeft) ended();
    return;
  }
  views.open("chat", "field");
  views.showState(body);
  see();
}

/** The counsellor has read on, or types: there is nothing to ask for. */
function marked(marks) {
  if (leaving.isGone() || !seen || looking) {
    look().catch(() => network("offline"));
    return;
  }
  const { delivered, seen: seenTo, types } = marks;
  if (delivered) seen.delivered = Math.max(seen.delivered, delivered);
  if (seenTo) seen.seen = Math.max(seen.seen, seenTo);
  log.mark(seen);
  if (types === undefined) return;
  seen.types = Boolean(types);
  seen.typed = null;
  views.showState(seen);
}

async function see() {
  const number = log.lastNumber();
  if (document.visibilityState === "hidden" || number <= lastSeen || $("chat").hidden) return;
  const before = lastSeen;
  lastSeen = number;
  try {
    const { ok } = await ask("POST", "/conversation/seen", { number });
    if (!ok) lastSeen = before;
  } catch (error) {
    lastSeen = before;
  }
}

// The round whose end has been shown.
let over = -1;

function ended() {
  if (over === round) return;
  over = round;
  if (current) current.abort();
  // The number to ring is shown whether or not the helpline has heard it.
  seen.danger = seen.danger || cried;
  if (seen.left && seen.by_code) {
    secret.keepNoLonger();
    showAnswer();
    return;
  }
  const words = sending.unsent();
  keepUnsent(words);
  sending.clear();
  views.showEnd(seen);
  see();
  // A tab keeps nothing of a conversation that is over, and whose code was shown if it has one.
  if (seen.left) showCode();
  else secret.keepNoLonger();
  if (words.length) sayAfterEnd(words);
}

/** Say what was not sent before the end: a person reads it after all. */
async function sayAfterEnd(words) {
  const of = round;
  const before = seen.left;
  const wanted = () => of === round && !leaving.isGone();
  const answer = await until("/conversation/end", { words: words.map(asWords) }, wanted);
  if (!answer || !answer.ok) return;
  kept = kept.filter((one) => words.indexOf(one) < 0);
  await look().catch(() => network("offline"));
  // No counsellor had come: now it is a message, and has a code.
  if (of === round && seen.left && !before) showCode();
}

/** What the child wrote waits for a counsellor: show the code for the answer, as soon as it comes. */
async function showCode() {
  const of = round;
  const { danger } = seen;
  const answer = await until("/conversation/code", undefined, () => of === round);
  if (of !== round || !answer || leaving.isGone()) return;
  secret.keepNoLonger();
  if (answer.ok) views.showLeft(answer.body.code, danger, true);
}

/** A child is back for the answer to a message. */
function showAnswer() {
  const answered = $("log").querySelector(".by-counsellor");
  views.open("chat");
  $("write").hidden = true;
  $("danger").hidden = true;
  $("end").hidden = true;
  $("again").hidden = false;
  $("mark").textContent = "";
  show($("state"), say(answered ? "answer" : "no_answer"));
  see();
}

// -- following ----------------------------------------------------------------------------------

async function follow() {
  const of = round;
  let pause = FIRST_PAUSE;
  const goesOn = () => of === round && !(seen && seen.phase === "ended") && !leaving.isGone();
  while (goesOn()) {
    const well = streams ? await followStream(of) : await poll(of);
    if (!goesOn()) return;
    if (well) pause = FIRST_PAUSE;
    // A poll that was answered is followed by the next one; a stream that ended waits a moment.
    if (streams || !well) await sleep(pause);
    if (!well) pause = Math.min(pause * 2, LONGEST_PAUSE);
  }
}

async function followStream(of) {
  const began = Date.now();
  const { came, status } = await stream(
    () => {
      if (of === round) look().catch(() => network("offline"));
    },
    (marks) => {
      if (of === round) marked(marks);
    },
    (made) => {
      current = made;
    },
  );
  // Nothing is followed any more: the conversation is over, or the child has left.
  if (of !== round || leaving.isGone() || (seen && seen.phase === "ended")) return false;
  if (status === 404 || status === 401) gone();
  else if (status >= 400) refused(status);
  // The browser cannot read a stream, or the network keeps it back: nothing came for long.
  else if (!came && (status === 200 || Date.now() - began > 15000)) streams = false;
  else if (status === 0) network("offline");
  return came;
}

async function poll(of) {
  try {
    const path = `/conversation/messages?after=${log.lastNumber()}&wait=${seen ? 25 : 0}`;
    const answer = await ask("GET", path, undefined, 45000);
    if (of !== round) return false;
    take(answer);
    return answer.ok;
  } catch (error) {
    if (of === round) network("offline");
    return false;
  }
}

function back() {
  pausesOver.forEach((end) => end());
  pausesOver = [];
  if (!secret.secret()) return;
  sending.hurry();
  look().catch(() => network("offline"));
}

// -- beginning ----------------------------------------------------------------------------------

function begin(made) {
  round += 1;
  secret.keep(made);
  follow();
}

function resetChat() {
  ["write", "danger", "end"].forEach((one) => {
    $(one).hidden = false;
  });
  ["danger-said", "sure", "leave", "again"].forEach((one) => {
    $(one).hidden = true;
  });
  $("field").readOnly = false;
  views.sayOver("");
  network("");
}

// A conversation that is being opened: its key is the same until it is answered.
let opening = null;
// Of this page alone, as long as it is loaded: by it a visit is known, and no person.
const visit = aKey();
// The child has said that it is in danger, and the helpline is not known to have heard it.
let cried = false;

async function start(danger) {
  if (opening) return;
  opening = { language: facts.language, danger: danger || cried, client_key: aKey(), visit };
  show($("start-notice"), "");
  views.open("chat");
  resetChat();
  log.clear();
  show($("state"), say("moment"));
  firstWords = kept;
  kept = [];
  firstWords.forEach(log.addUnsent);
  const body = opening;
  let pause = FIRST_PAUSE;
  while (opening && !leaving.isGone()) {
    body.danger = body.danger || cried;
    try {
      const answer = await ask("POST", `/${facts.line}/conversations`, body);
      if (answer.ok) {
        opening = null;
        begin(answer.body.secret);
        if (cried) sayDanger();
        return;
      }
      // The key is too old to be repeated, or the line was closed.
      if (answer.status === 409) body.client_key = aKey();
      else if (answer.status === 404) {
        opening = null;
        gone();
        return;
      }
      network("busy");
    } catch (error) {
      network("offline");
    }
    await sleep(pause);
    pause = Math.min(pause * 2, LONGEST_PAUSE);
  }
}

// What was written before the conversation was open.
let firstWords = [];

/** Send them, or if no counsellor is there, let them be the message that is left, if they are short
 * enough to be one. */
function sendFirstWords() {
  const words = firstWords;
  firstWords = [];
  const { value, maxLength } = $("field");
  const text = [...words.map((one) => one.text), value].join("\n").trim();
  if (seen.phase !== "closed" || text.length > maxLength) words.forEach(sending.add);
  else if (words.length) {
    words.forEach((one) => log.remove(one.key));
    $("field").value = text;
  }
}

function submit() {
  const field = $("field");
  const text = field.value.trim();
  if (!text) {
    field.focus();
    return;
  }
  if (seen && seen.phase === "closed") {
    leaveMessage();
    return;
  }
  const message = { key: aKey(), text };
  if (!fits([...lastWords(), asWords(message)])) {
    // What is not sent yet must fit into one request, should the child leave: the rest waits here.
    network(navigator.onLine === false ? "offline" : "busy");
    field.focus();
    return;
  }
  field.value = "";
  typing.stop();
  log.addUnsent(message);
  if (seen) log.mark(seen);
  if (seen) sending.add(message);
  else firstWords.push(message);
  field.focus();
}

// The message that is being left, until it is answered.
let messageLeft = null;

/** Leave a message, and show the code with which the child comes back. An answer that got lost is
 * asked for again: a repeated message gets the same code. */
async function leaveMessage() {
  const text = $("field").value.trim();
  if (!text || messageLeft) {
    $("field").focus();
    return;
  }
  const of = round;
  const { danger } = seen;
  messageLeft = { client_key: aKey(), text };
  $("leave").disabled = true;
  $("field").readOnly = true;
  const answer = await until("/conversation/message", messageLeft, () => of === round);
  messageLeft = null;
  $("leave").disabled = false;
  $("field").readOnly = false;
  if (!answer || leaving.isGone()) return;
  if (answer.ok) {
    $("field").value = "";
    stop();
    views.showLeft(answer.body.code, danger);
  } else if (answer.status === 409) await look().catch(() => network("offline"));
  else refused(answer.status);
}

// -- the buttons --------------------------------------------------------------------------------

/** Ask until it is answered, as long as that is wanted. Return the answer, or nothing. `failed` is
 * told of each time in vain. */
async function until(path, body, wanted = () => true, failed = () => {}) {
  for (let pause = FIRST_PAUSE; secret.secret(); pause = Math.min(pause * 2, LONGEST_PAUSE)) {
    try {
      const answer = await ask("POST", path, body);
      if (!wanted()) return null;
      if (answer.ok || (answer.status < 500 && answer.status !== 429)) return answer;
    } catch (error) {
      if (!wanted()) return null;
      network("offline");
    }
    failed();
    await sleep(pause);
    if (!wanted()) return null;
  }
  return null;
}

const asWords = ({ key, text }) => ({ client_key: key, text });

/** Return what the child has said and the helpline is not known to have. */
function lastWords() {
  const words = sending.unsent().concat(firstWords).map(asWords);
  return messageLeft ? words.concat(messageLeft) : words;
}

/** Whether words stand in the field that the child has not sent; not which. */
const isTyping = () => ({ typing: Boolean($("field").value.trim()) });

/** The child leaves at once: say its last words and end, in one request that no message overtakes.
 * If it has ended before all was sent, the rest is said now. */
function sayLast() {
  if (secret.secret()) {
    if (!isOver()) tell("/conversation/end", { ...isTyping(), danger: cried }, lastWords());
    else if (kept.length || cried) {
      tell("/conversation/end", { danger: cried }, kept.map(asWords));
    }
  } else if (opening) {
    const danger = opening.danger || cried;
    const body = { ...opening, ...isTyping(), danger, leaves: true };
    tell(`/${facts.line}/conversations`, body, lastWords());
  }
}

const isOver = () => Boolean(seen) && seen.phase === "ended";

/** The page is closed, loaded again, or out of sight, and perhaps never runs again: say what is not
 * sent. A conversation that is open goes on, for the page may come back. */
function sayUnsent() {
  if (leaving.isGone() || !secret.secret()) return;
  const words = isOver() ? kept.map(asWords) : lastWords();
  if (words.length || cried) tell("/conversation/end", { danger: cried, stays: true }, words);
}

/** Tell the helpline that each letter is read, or not. */
function chooseLetters() {
  const body = { on: $("letters").checked };
  if (seen) until("/conversation/letters", body, () => $("letters").checked === body.on);
}

/** A page that is loaded again shows what was chosen; what was chosen before it began is told. */
function showLetters(body) {
  if (!$("letters").checked) $("letters").checked = body.letters;
  else if (!body.letters) until("/conversation/letters", { on: true }, () => $("letters").checked);
}

async function sayDanger() {
  cried = true;
  if (!secret.secret()) {
    // It is being opened, and that says it.
    views.showDangerNow();
    return;
  }
  $("danger").disabled = true;
  const answer = await until("/conversation/danger");
  if (answer && answer.ok) cried = false;
  if (leaving.isGone()) return;
  $("danger").disabled = false;
  if (secret.secret()) await look().catch(() => network("offline"));
}

async function end() {
  $("sure").hidden = true;
  await until("/conversation/end", { ...isTyping(), danger: cried, words: lastWords() });
  await look().catch(() => network("offline"));
}

async function openCode(event) {
  event.preventDefault();
  const code = $("code-field").value;
  show($("code-notice"), "");
  try {
    const answer = await ask("POST", "/return", { code });
    if (answer.ok) {
      $("code-field").value = "";
      resetChat();
      log.clear();
      begin(answer.body.secret);
      return;
    }
    const wrong = answer.status === 404 || answer.status === 422;
    show($("code-notice"), say(wrong ? "wrong_code" : "busy"));
  } catch (error) {
    show($("code-notice"), say("offline"));
  }
  $("code-field").focus();
}

async function rate(event) {
  event.preventDefault();
  const body = {};
  ["helped", "again"].forEach((name) => {
    const chosen = $("rate").querySelector(`[name=${name}]:checked`);
    if (chosen) body[name] = Number(chosen.value);
  });
  $("rate").hidden = true;
  if (!body.helped && !body.again) return;
  const of = round;
  const wanted = () => of === round && !leaving.isGone();
  const shows = (words) => {
    $("rated").textContent = words;
  };
  shows(say("moment"));
  const trying = () => shows(say("rate_lost"));
  const answer = await until("/conversation/feedback", body, wanted, trying);
  if (answer) shows(answer.ok ? say("rate_thanks") : "");
}

function again() {
  stop();
  $("again").hidden = true;
  $("rate").reset();
  views.open("start");
}

function press(id, act) {
  $(id).addEventListener("click", act);
}

function watch() {
  press("open", () => start(false));
  press("open-danger", () => start(true));
  press("to-code", () => views.open("code", "code-field"));
  press("code-back", () => views.open("start"));
  press("danger", sayDanger);
  $("letters").addEventListener("change", chooseLetters);
  press("leave", leaveMessage);
  press("end", () => {
    $("sure").hidden = false;
    $("end-no").focus();
  });
  press("end-no", () => {
    $("sure").hidden = true;
    $("field").focus();
  });
  press("end-yes", end);
  $("again").firstElementChild.addEventListener("click", again);
  $("code-form").addEventListener("submit", openCode);
  $("rate").addEventListener("submit", rate);
  $("write").addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  $("field").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    submit();
  });
  // Another language is another page; it takes the place of this one in the history.
  const links = document.querySelectorAll(".languages a");
  Array.prototype.forEach.call(links, (link) =>
    link.addEventListener("click", (event) => {
      event.preventDefault();
      window.location.replace(link.href);
    }),
  );
  document.addEventListener("visibilitychange", () => {
    if (seen) see();
    if (document.visibilityState === "hidden") sayUnsent();
  });
  window.addEventListener("pagehide", () => {
    if (secret.secret()) sayUnsent();
    // What opens it is lost with the page, so this is all that the child says.
    else if (opening && !leaving.isGone()) {
      if (firstWords.length || opening.danger || cried) sayLast();
    }
  });
  window.addEventListener("online", back);
  window.addEventListener("offline", () => secret.secret() && network("offline"));
  setInterval(() => {
    if (!secret.secret() || !seen || seen.phase === "ended" || leaving.isGone()) return;
    // While no counsellor is there, a look says that the page is, and is what queues the child when
    // one comes: no stream tells of that.
    if (seen.phase === "talking" || !streams) ask("POST", "/conversation/here").catch(() => {});
    else look().catch(() => network("offline"));
  }, BEAT);
}

sending.setUp({
  sent(message, number) {
    if (leaving.isGone()) return;
    log.markSent(message.key, number);
    if (seen) log.mark(seen);
    if (!sending.unsent().length) network("");
  },
  failed(message, status) {
    if (leaving.isGone()) return;
    log.markFailed(message.key);
    if (status === 404) gone();
    else look().catch(() => network("offline"));
  },
  over(message) {
    look().then(
      () => {
        if (leaving.isGone() || !seen || seen.phase === "ended") return;
        log.markFailed(message.key);
        sending.goOn(message);
      },
      () => {
        network("offline");
        sending.later();
      },
    );
  },
  away: () => network("offline"),
  busy: (fast) => network(fast ? "too_fast" : "busy"),
});

leaving.watch(sayLast);
typing.watch(() => Boolean(seen) && (seen.phase === "talking" || seen.phase === "waiting"));
watch();
views.showStart();
$("plain").hidden = true;
$("begin").hidden = false;
if (secret.find()) {
  views.open("chat");
  show($("state"), say("moment"));
  follow();
}
