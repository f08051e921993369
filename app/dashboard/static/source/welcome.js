// The page on which a person chooses a password. The secret of the link is behind the # of the
// address, which a browser sends to no server; it is taken out of the address and sent in a form.
import htmx from "htmx.org";

const place = document.querySelector("[data-welcome]");
if (place) {
  const token = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  if (token) htmx.ajax("POST", "/welcome/open", { target: place, swap: "innerHTML", values: { token } });
}
