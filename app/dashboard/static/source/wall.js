// The wallboard asks for its figures every few seconds, and says so when it cannot.
const EVERY = 5000;
// A wallboard that is gone may come back: a server that restarts says the same for a moment.
const GONE = 30000;
// Without an answer for this time, the figures do not count as current.
const SILENCE = 12000;
const { wall: address, withdrawn } = document.body.dataset;
const { lang } = document.documentElement;
const place = document.getElementById("wall");
const stale = document.getElementById("wall-stale");
let seen = Date.now();
let gone = false;

const look = async () => {
  try {
    const answer = await fetch(address, { signal: AbortSignal.timeout(4000) });
    if (answer.status === 404) {
      place.replaceChildren();
      stale.textContent = withdrawn;
      stale.hidden = false;
      gone = true;
    } else if (answer.ok && gone) {
      location.reload();
      return;
    } else if (answer.ok) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      place.replaceChildren(...page.body.childNodes);
      seen = Date.now();
    }
  } catch {
    // Not connected: said below, once it has lasted.
  }
  if (gone) {
    setTimeout(look, GONE);
    return;
  }
  const late = Date.now() - seen > SILENCE;
  stale.hidden = !late;
  document.body.toggleAttribute("data-stale", late);
  stale.querySelector("time").textContent = new Date(seen).toLocaleTimeString(lang, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  setTimeout(look, EVERY);
};

setInterval(() => {
  const time = place.querySelector("[data-seconds]");
  if (!time || document.body.hasAttribute("data-stale")) return;
  const seconds = Number(time.dataset.seconds) + 1;
  time.dataset.seconds = seconds;
  time.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}, 1000);
setTimeout(look, EVERY);
