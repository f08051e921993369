// Refreshes change what differs and leave the rest: focus, open boxes, half-typed text, choices.
import { Idiomorph } from "idiomorph/dist/idiomorph-ext.esm.js";

const typed = (field) => {
  if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
  if (field.tagName === "SELECT") return [...field.options].some((one) => one.selected !== one.defaultSelected);
  return field.value !== field.defaultValue;
};

// What scripts have set on a conversation.
const OWN = ["data-shown", "data-first", "aria-live", "aria-expanded", "aria-current"];

Object.assign(Idiomorph.defaults.callbacks, {
  beforeNodeMorphed: (old) => {
    if (old.nodeType !== Node.ELEMENT_NODE) return true;
    if (old.hasAttribute("data-kept")) return false;
    return !(old.matches("input:not([type=hidden]), textarea, select") && typed(old));
  },
  // A box that the reader has opened stays open, and the conversation that they read stays in sight.
  beforeAttributeUpdated: (name, element) => !(name === "open" && element.tagName === "DETAILS") && !OWN.includes(name),
});
