// What a reader has typed, compared with the words by which something is found, in either script.

export const plain = (text, spelling) => Array.from(text.normalize("NFC").toLowerCase(), (letter) => spelling[letter] ?? letter)
  .join("").replace(/[^a-z0-9 ]/g, " ").trim().split(/ +/).filter(Boolean);

// 0 if every word is at the start of the text, 1 if at the start of a word, 2 within one, else null.
export const rank = (words, text) => {
  let worst = text.startsWith(words.join(" ")) ? 0 : 1;
  for (const word of words) {
    if (!text.includes(word)) return null;
    if (!` ${text}`.includes(` ${word}`)) worst = 2;
  }
  return worst;
};
