// The sections of a form as links, each with its state: empty, begun, complete, or with an error.
import { _ } from "./words.js";

const MARKS = { empty: "○", begun: "◐", complete: "●", error: "⚠" };

const filled = (question) => (question.querySelector("fieldset")
  ? question.querySelector("input[type=checkbox]:checked") !== null
  : question.querySelector("input, select, textarea").value.trim() !== "");

const stateOf = (section) => {
  const asked = [...section.querySelectorAll(".question:not([hidden])")];
  if (asked.some((one) => !one.querySelector(".trouble").hidden)) return "error";
  const answered = asked.filter(filled);
  if (!answered.length) return "empty";
  const missing = asked.some((one) => one.querySelector(".must:not([hidden])") && !filled(one));
  return missing ? "begun" : "complete";
};

let wanted = null;
export const markSections = (root) => {
  if (wanted === root) return;
  wanted = root;
  requestAnimationFrame(() => {
    wanted = null;
    const words = { empty: _("empty"), begun: _("begun"), complete: _("complete"), error: _("has an error") };
    for (const link of document.querySelectorAll(".sections a")) {
      const section = root?.querySelector(`[data-section="${CSS.escape(link.dataset.of)}"]`);
      if (!section) continue;
      const state = stateOf(section);
      link.parentElement.hidden = section.hidden;
      link.dataset.state = state;
      link.querySelector(".mark").textContent = MARKS[state];
      link.querySelector(".visually-hidden").textContent = `, ${words[state]}`;
    }
  });
};
