// What the child wrote and the helpline does not have yet: kept here, in order, and sent again with
// the same key until it is answered.

import { ask } from "./ask.js";

const FIRST_PAUSE = 2000;
const LONGEST_PAUSE = 15000;

let waiting = [];
let busy = false;
let pause = FIRST_PAUSE;
let timer;
let hooks;
// The conversation may be over: nothing is sent until the page knows.
let stopped = false;

export function setUp(given) {
  hooks = given;
}

export const unsent = () => waiting;

export function add(message) {
  waiting.push(message);
  send();
}

export function clear() {
  waiting = [];
  stopped = false;
  clearTimeout(timer);
}

/** The helpline has these: the answer to a message may get lost on its way. */
export function arrived(key) {
  waiting = waiting.filter((one) => one.key !== key);
}

/** Send what waits, one after the other. */
export async function send() {
  clearTimeout(timer);
  if (busy || stopped || !waiting.length) return;
  busy = true;
  const [message] = waiting;
  try {
    const body = { client_key: message.key, text: message.text };
    const answer = await ask("POST", "/conversation/messages", body);
    settle(message, answer);
  } catch (error) {
    hooks.away();
    again();
  }
  busy = false;
  if (waiting.length && pause === FIRST_PAUSE) send();
}

function settle(message, { ok, status, body }) {
  if (ok) {
    pause = FIRST_PAUSE;
    arrived(message.key);
    hooks.sent(message, body.number);
  } else if (status === 429 || status >= 500 || status === 408) {
    hooks.busy(Boolean(body) && body.error === "TooFast");
    again();
  } else if (status === 409) {
    stopped = true;
    hooks.over(message);
  } else {
    arrived(message.key);
    hooks.failed(message, status);
  }
}

/** It is not known whether the conversation is over: try again. */
export function later() {
  stopped = false;
  again();
}

/** It is not over: this message alone cannot be sent. */
export function goOn(message) {
  stopped = false;
  arrived(message.key);
  send();
}

function again() {
  pause = Math.min(pause * 2, LONGEST_PAUSE);
  timer = setTimeout(send, pause);
}

/** Try at once: the network is back. */
export function hurry() {
  pause = FIRST_PAUSE;
  send();
}
