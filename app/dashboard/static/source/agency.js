// The page of an agency: says when the helpline has written more. Without scripts the page works too.
const EVERY = 20_000;
const box = document.querySelector("[data-news]");

const look = async () => {
  try {
    const answer = await fetch(box.dataset.news);
    if (answer.status === 200) box.hidden = false;
    if (answer.status >= 400) return;
  } catch {
    // No connection just now: the next look may have one.
  }
  if (box.hidden) setTimeout(look, EVERY);
};

if (box) setTimeout(look, EVERY);
