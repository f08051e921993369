// Passkeys: a form of the page that needs one gets the browser's answer into its hidden field before it
// is sent. The forms say where the challenge comes from (`data-passkey`), and whether a new passkey is
// made (`data-passkey-makes`).
import { browserSupportsWebAuthn, startAuthentication, startRegistration } from "@simplewebauthn/browser";
import { _ } from "../words.js";

export const canPasskeys = () => browserSupportsWebAuthn();

const why = (error) => {
  switch (error.name) {
    case "NotAllowedError": return _("No passkey was given, or it took too long. Try again.");
    case "InvalidStateError": return _("This device holds a passkey of this account already. Use another device.");
    case "SecurityError": return _("Passkeys work only at the address of the helpline. Open that address and try again.");
    default: return _("The device did not give a passkey. Try again, or use a code or a recovery code.");
  }
};

export const noPasskeys = () =>
  _("This browser has no passkeys. Use a newer browser, or a code of your phone or a recovery code.");

// Let the device answer a challenge, or make a passkey. Throws an error whose message is for the reader.
export const answer = async (optionsJSON, makes = false) => {
  if (!canPasskeys()) throw new Error(noPasskeys());
  try {
    return await (makes ? startRegistration({ optionsJSON }) : startAuthentication({ optionsJSON }));
  } catch (error) {
    throw new Error(why(error));
  }
};

// Ask for a challenge; `fetcher` sends the request, and returns null if the reader does not want to go on.
export const challenge = async (fetcher, url, body) => {
  const options = { method: "POST" };
  if (body) Object.assign(options, { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  const sent = await fetcher(url, options);
  if (!sent) return null;
  const said = await sent.json().catch(() => ({}));
  if (!sent.ok) throw new Error(said.detail ?? _("The server did not respond. Try again."));
  return said.publicKey;
};
