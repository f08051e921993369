// Guidance beside the form: the topics of the categories that are chosen.
import { onPage } from "./pages.js";

const show = () => {
  const chosen = [...document.querySelectorAll(".categories input[type=checkbox]:checked")].map((box) => box.value);
  for (const topic of document.querySelectorAll("[data-guidance] > details")) {
    topic.hidden = !topic.dataset.for.split(" ").some((code) => chosen.includes(code));
  }
};

onPage(show);
document.addEventListener("input", (event) => { if (event.target.closest?.(".categories")) show(); });
document.addEventListener("helpline:shown", show, true);
