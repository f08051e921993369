// What ends something for a child takes two steps: a click and five seconds in which it can be
// taken back, or the letter that moves the focus and then Enter.
import htmx from "htmx.org";
import { _ } from "./words.js";

const running = new WeakMap();

const stop = (button) => {
  const { timer, before } = running.get(button);
  clearInterval(timer);
  running.delete(button);
  button.innerHTML = before;
  button.removeAttribute("data-kept");
};

// What it is about is left out where the bar is narrow; the seconds and the way back never are.
const show = (button, left) => {
  const words = document.createElement("span");
  words.className = "word";
  words.textContent = button.dataset.undoWords;
  button.replaceChildren(words, ` ${left} · ${_("Undo")}`);
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-undo]");
  if (!button) return;
  if (running.has(button)) return stop(button);
  // Enter on a button that has the focus: the second step. Where no letter led there, it is the first.
  if (event.detail === 0 && !("undoAlways" in button.dataset)) return htmx.trigger(button, "confirmed");
  const until = Date.now() + Number(button.dataset.undo) * 1000;
  const before = button.innerHTML;
  const say = () => {
    const left = Math.ceil((until - Date.now()) / 1000);
    if (left > 0) return show(button, left);
    stop(button);
    if (button.isConnected) htmx.trigger(button, "confirmed");
  };
  button.setAttribute("data-kept", "");
  running.set(button, { timer: setInterval(say, 250), before });
  say();
});
