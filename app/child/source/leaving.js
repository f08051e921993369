// Leave at once: by the button, or by Esc. The page is empty before the next one is asked for, and
// stands nowhere in the history of the tab.

import { $, facts } from "./facts.js";
import { forget } from "./secret.js";

let gone = false;
let sayLast = () => {};

function go() {
  // Within the page of another site, that page is left, too, if the browser allows it.
  if (window.top !== window) {
    try {
      window.top.location.replace(facts.exit);
      return;
    } catch (error) {
      // The browser forbids it: leave at least this part.
    }
  }
  window.location.replace(facts.exit);
}

export function leave() {
  document.title = facts.title;
  if (!gone) sayLast();
  gone = true;
  forget();
  while (document.body.firstChild) document.body.removeChild(document.body.firstChild);
  go();
}

export const isGone = () => gone;

/** `last`: says what the child has said and the helpline does not have, and ends it. */
export function watch(last) {
  sayLast = last;
  $("exit").addEventListener("click", (event) => {
    event.preventDefault();
    leave();
  });
  document.addEventListener(
    "keydown",
    (event) => {
      if ((event.key !== "Escape" && event.key !== "Esc") || event.isComposing) return;
      // Esc also stops a page that is loading: who presses it twice must not stay here.
      event.preventDefault();
      event.stopPropagation();
      leave();
    },
    true,
  );
  window.addEventListener("pageshow", () => {
    if (gone) leave();
  });
}
