// Which part of the page is shown, and what stands in it.

import { $, facts, minutes, say, show, showNumber, when } from "./facts.js";

const PARTS = ["start", "code", "chat", "left", "ended"];
let now = "start";

export const part = () => now;

/** Show one part, and what was said above it if it is to be read further. The focus goes to its
 * heading, so that a screen reader says where one is. */
export function open(name, focus = `${name}-title`, log = false) {
  PARTS.forEach((one) => {
    $(one).hidden = one !== name && !(log && one === "chat");
  });
  $("again").hidden = name !== "ended" && name !== "left";
  const fresh = now !== name;
  now = name;
  if (fresh && focus) {
    window.scrollTo(0, 0);
    $(focus).focus();
  }
}

/** What is said out of hours: the line's own words if it has some, and when it opens. */
function notOpen(at) {
  const opens = at ? say("opens", { when: when(at) }) : "";
  return [facts.closed || (at ? "" : say("closed")), opens].filter(Boolean).join(" ");
}

export function showStart() {
  const { open: isOpen, opens_at: at, expected_seconds: wait } = facts.about;
  let text = notOpen(at);
  if (isOpen) {
    text = say("open");
    if (wait !== null) text += ` ${say("usual_wait", { minutes: minutes(wait) })}`;
  }
  $("when").textContent = text;
}

// Milliseconds that a sign of typing lasts which is not repeated.
const TYPES = 8000;
let typesTimer;

/** Show that the counsellor types; with the words, if the child reads them by the letter. A screen
 * reader says them when they are sent. */
function showTyping(types, typed) {
  clearTimeout(typesTimer);
  show($("typed"), types && typed ? typed : "");
  const text = types ? say("types") : "";
  if ($("types").textContent !== text) $("types").textContent = text;
  if (types) typesTimer = setTimeout(() => $("types") && showTyping(false), TYPES);
}

function waitWords({ place, unstaffed, opens_at: at }) {
  const said = [];
  if (unstaffed) {
    said.push(at ? say("no_counsellor_until", { when: when(at) }) : say("no_counsellor"));
  } else if (place) {
    said.push(place.ahead ? say("ahead", { ahead: place.ahead }) : say("next"));
    if (place.expected_seconds > 0) {
      said.push(say("wait", { minutes: minutes(place.expected_seconds) }));
    } else if (place.expected_seconds === 0) said.push(say("wait_longer"));
    said.push(say("wait_write"));
  }
  return said.join(" ");
}

function closedWords({ opens_at: at }) {
  return `${notOpen(at)} ${say("leave")}`;
}

let saidDanger = "";

/** Show which number to ring, before the helpline has heard that there is danger. */
export function showDangerNow() {
  showNumber($("danger-said"), "danger_now");
  saidDanger = "danger_now";
}

/** Show where the conversation is. */
export function showState(seen) {
  const closed = seen.phase === "closed";
  const blocked = seen.phase === "blocked";
  const text = closed
    ? closedWords(seen)
    : blocked
      ? say("blocked")
      : seen.phase === "waiting"
      ? waitWords(seen)
      : say("here");
  show($("state"), text);
  $("send").hidden = closed;
  $("leave").hidden = !(closed || (seen.phase === "waiting" && seen.unstaffed));
  $("leave").className = closed ? "main" : "";
  $("letters-choice").hidden = closed || blocked;
  $("danger").hidden = seen.danger;
  if (!seen.danger) {
    if (!blocked) $("danger-said").hidden = true;
    else if ($("danger-said").hidden) showNumber($("danger-said"), "danger_now");
  }
  if (seen.danger) {
    // Said once, and never that the child comes first where no counsellor is.
    const key = closed ? "danger_now" : "danger_heard";
    if (saidDanger !== key || $("danger-said").hidden) showNumber($("danger-said"), key);
    saidDanger = key;
  }
  showTyping(seen.types, seen.typed);
}

/** Say below what was said that it is over: where it is said when it changes, so that a screen
 * reader says it after the last words. Empty: it goes on. */
export function sayOver(text) {
  $("chat").className = text ? "over" : "";
  $("over").textContent = "";
  if (!text) return;
  const title = document.createElement("h2");
  title.id = "ended-title";
  title.tabIndex = -1;
  title.textContent = text;
  $("over").appendChild(title);
}

/** Show that it is over, below all that was said, and ask two questions if they may be asked. */
export function showEnd(seen) {
  const how = { child: "goodbye", counsellor: "goodbye_counsellor" }[seen.ended_by];
  sayOver(say(how || "goodbye_away"));
  $("ended-danger").hidden = true;
  if (seen.danger) showNumber($("ended-danger"), "danger_now");
  $("rate").hidden = !seen.may_rate;
  $("rated").textContent = "";
  // A child who did not end it is still reading: the focus must not cut off the last words.
  open("ended", how === "goodbye" ? "ended-title" : "log", true);
}

/** Show the code. `log`: what was said is read above it. */
export function showLeft(code, danger, log = false) {
  $("left-code").textContent = code;
  $("left-danger").hidden = true;
  if (danger) showNumber($("left-danger"), "danger_now");
  open("left", "left-title", log);
}
