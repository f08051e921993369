// What the scripts say, in the language of the page. English is written where it is said; the page
// brings its texts for any other language.
const texts = JSON.parse(document.getElementById("words")?.textContent ?? "{}");

export const _ = (message, values = {}) =>
  (texts[message] ?? message).replace(/%\((\w+)\)s/g, (all, name) => values[name] ?? all);

// For dates: the reader's browser for English, otherwise the language of the page.
export const locale = document.documentElement.lang === "en" ? [] : document.documentElement.lang;
