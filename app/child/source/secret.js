// What opens the conversation again. The tab keeps it, so that a page that is loaded again goes on;
// it is gone when the conversation is over, when the child leaves, and when the tab is closed.

const PLACE = "s";
let kept = "";

function inTab(act) {
  // A site within whose page this one is may have no place, nor a private window of an old browser.
  try {
    return act(window.sessionStorage);
  } catch (error) {
    return null;
  }
}

export function keep(secret) {
  kept = secret;
  inTab((place) => place.setItem(PLACE, secret));
}

/** Take it out of the tab. The page itself can still ask, until it is closed. */
export function keepNoLonger() {
  inTab((place) => place.removeItem(PLACE));
}

export function forget() {
  kept = "";
  keepNoLonger();
}

export const secret = () => kept;

/** Return whether the tab held one. */
export function find() {
  kept = inTab((place) => place.getItem(PLACE)) || "";
  return kept !== "";
}
