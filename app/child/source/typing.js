// The sign that the child is typing; with its letters, if it wants to be read while it types.

import { ask } from "./ask.js";
import { $ } from "./facts.js";

// Milliseconds between two signs.
const SIGN = 3000;
const LETTERS = 400;

let on = () => false;
let told = 0;
let timer;
let asking = false;
let lastText = null;

async function tell() {
  timer = null;
  if (!on()) return;
  if (asking) {
    plan();
    return;
  }
  const { value } = $("field");
  const text = $("letters").checked ? value : value ? null : "";
  if (text !== null && text === lastText) return;
  asking = true;
  told = Date.now();
  lastText = text;
  try {
    await ask("POST", "/conversation/typing", text === null ? {} : { text });
  } catch (error) {
    lastText = null;
  }
  asking = false;
}

function plan() {
  if (timer) return;
  const pause = $("letters").checked || !$("field").value ? LETTERS : SIGN;
  timer = setTimeout(tell, Math.max(0, told + pause - Date.now()));
}

/** Nothing is typed any more: it was sent. */
export function stop() {
  clearTimeout(timer);
  timer = null;
  lastText = "";
}

export function watch(isOn) {
  on = isOn;
  $("field").addEventListener("input", () => {
    if (!$("field").value && lastText === "") return;
    if ($("field").value && !$("letters").checked) lastText = null;
    plan();
  });
  $("letters").addEventListener("change", () => {
    lastText = null;
    plan();
  });
}
