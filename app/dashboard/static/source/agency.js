// Tells an agency when the helpline has written more. The page also works without scripts.
const EVERY = 20_000;
const box = document.querySelector("[data-news]");

const look = async () => {
  try {
    const answer = await fetch(box.dataset.news);
    if (answer.status === 200) box.hidden = false;
    if (answer.status >= 400) return;
  } catch {
    // No connection: the next check tries again.
  }
  if (box.hidden) setTimeout(look, EVERY);
};

if (box) setTimeout(look, EVERY);
