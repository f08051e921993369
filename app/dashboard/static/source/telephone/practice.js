// The practice exchange speaks without encryption on the same machine, and the SDK insists on
// encryption. This passes everything on and changes the scheme of the address.
import PStream from "../../../../../node_modules/@twilio/voice-sdk/esm/twilio/pstream.js";

const plain = (uri) => uri && uri.replace(/^wss:/, "ws:");

export class PracticeStream extends PStream {
  constructor(token, uris, options) { super(token, uris.map(plain), options); }

  updatePreferredURI(uri) { super.updatePreferredURI(plain(uri)); }

  updateURIs(uris) { super.updateURIs(uris.map(plain)); }
}
