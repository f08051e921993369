// Colours, density and letter keys, as this person likes them on this machine.
const year = 365 * 24 * 3600;
// By https no other host and no page without TLS can set a cookie of such a name.
const kept = location.protocol === "https:" ? "__Host-" : "";
const only = kept ? "; secure" : "";
// The page waits for the browser each time it reads the cookies.
const chosen = (name, cookies = document.cookie) =>
  cookies.split("; ").find((one) => one.startsWith(`${kept}${name}=`))?.split("=")[1];

const mark = () => {
  const { cookie } = document;
  for (const button of document.querySelectorAll("[data-look]")) {
    const { look, value } = button.dataset;
    const on = (chosen(look, cookie) ?? { theme: "auto", density: "comfortable", letters: "on" }[look]) === value;
    button.setAttribute("aria-pressed", on);
  }
};

export const lettersOn = () => chosen("letters") !== "off";

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-look]");
  if (!button) return;
  const { look } = button.dataset;
  let { value } = button.dataset;
  if (look === "letters" && chosen("letters") === "off") value = "on";
  document.cookie = `${kept}${look}=${value}; path=/; max-age=${year}; samesite=strict${only}`;
  const root = document.documentElement;
  if (look === "theme" && value === "auto") delete root.dataset.theme;
  else if (look !== "letters") root.dataset[look] = value;
  mark();
});
document.addEventListener("DOMContentLoaded", mark);
