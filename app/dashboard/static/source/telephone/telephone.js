// The telephone: a small face over the provider's SDK, so that another one can take its place.
// start, stop, accept, mute, hangUp, press, levels, on(state). It knows nothing of the page.
import { Device } from "@twilio/voice-sdk";
import { _ } from "../words.js";
import { PracticeStream } from "./practice.js";

// We ring ourselves; the SDK would fetch its sounds from outside, and wait for them.
class Silent {
  play() { return Promise.resolve(); }

  stop() {}

  setSinkIds() { return Promise.resolve(); }
}

const REGISTERS_WITHIN = 8000;
const REFRESHES_AT_MOST_EVERY = 30_000;
const ASKS_AGAIN = 10_000;
const TOKEN_CODES = new Set([20101, 20104, 31204, 31205, 31202]);
// What browsers call the device that the computer is set to.
const AS_THE_COMPUTER = "default";
const MICROPHONE_CODES = new Set([31401, 31402, 31208]);

export class Telephone {
  // `token`: returns {token, edges, signalling}. `whose`: asked for each ring, returns
  // {own, accept, words, call_for_help}. `on`: is told {state, words, quality, call}.
  constructor({ token, whose, on }) {
    Object.assign(this, { token, whose, tell: on });
    this.state = "off";
    this.words = "";
    // The call for whose counsellor it rings.
    this.help = null;
    this.quality = "";
    this.muted = false;
    this.refreshedAt = 0;
  }

  set(state, words = "") {
    if (this.state === state && this.words === words) return;
    this.state = state;
    this.words = words;
    this.tell(this);
  }

  // Asks for the microphone and connects. Resolves when the telephone is ready, or cannot be.
  async start({ microphone, speaker } = {}) {
    if (this.device && this.state !== "no_microphone") return this.state;
    this.set("asking");
    try {
      this.check = await navigator.mediaDevices.getUserMedia({ audio: constraints(microphone) });
    } catch (error) {
      this.set("no_microphone", refused(error));
      return this.state;
    }
    try {
      if (!this.device) await this.connect(microphone, speaker);
      else if (this.call) await this.speakAgain(microphone, speaker);
      else if (this.device.state === "registered") this.set("ready");
      else await this.register();
    } catch (error) {
      this.fail(error);
    } finally {
      this.check.getTracks().forEach((track) => track.stop());
    }
    return this.state;
  }

  async connect(microphone, speaker) {
    const given = await this.token();
    const practice = given.signalling
      ? { chunderw: given.signalling.replace(/^wss?:\/\//, "") }
      : { edge: given.edges };
    if (given.signalling?.startsWith("ws:")) practice.PStream = PracticeStream;
    this.device = new Device(given.token, {
      ...practice,
      codecPreferences: ["opus", "pcmu"],
      publishEvents: false,
      Sound: Silent,
      maxCallSignalingTimeoutMs: 15_000,
      closeProtection: true,
      tokenRefreshMs: 60_000,
      enableImprovedSignalingErrorPrecision: true,
      logLevel: "silent",
    });
    this.listen();
    this.rest();
    await this.register();
    await this.choose({ microphone, speaker });
  }

  listen() {
    const { device } = this;
    device.on("incoming", (call) => this.ring(call));
    device.on("registered", () => { if (!this.call) this.set("ready"); else this.settle(); });
    device.on("unregistered", () => { if (this.state === "ready") this.set("reconnecting"); });
    device.on("tokenWillExpire", () => this.refresh());
    device.on("error", (error) => {
      if (TOKEN_CODES.has(error.code)) this.refresh();
      else if (MICROPHONE_CODES.has(error.code)) this.set("no_microphone", refused(error));
    });
  }

  // The SDK neither resolves nor rejects when a token is refused, so wait for a while only.
  register() {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error("no answer from the telephone exchange")), REGISTERS_WITHIN);
      this.device.once("registered", () => { clearTimeout(late); resolve(); });
      this.device.register().catch(reject);
    });
  }

  fail(error) {
    this.device?.destroy();
    this.device = null;
    this.set("failed", error.words ?? _("The telephone could not be connected. It is tried again."));
  }

  async refresh() {
    if (Date.now() - this.refreshedAt < REFRESHES_AT_MOST_EVERY) return;
    this.refreshedAt = Date.now();
    try {
      const given = await this.token();
      this.device?.updateToken(given.token);
      if (this.device && this.device.state === "unregistered") await this.device.register();
    } catch {
      // The old token still holds for a while.
      this.refreshedAt = 0;
      setTimeout(() => { if (this.device) this.refresh(); }, ASKS_AGAIN);
    }
  }

  // -- a call ---------------------------------------------------------------------------------

  async ring(call) {
    this.call = call;
    this.wake();
    call.on("cancel", () => this.over(call));
    call.on("disconnect", () => this.over(call));
    call.on("reject", () => this.over(call));
    call.on("error", (error) => {
      if (MICROPHONE_CODES.has(error.code)) this.set("no_microphone", refused(error));
    });
    call.on("reconnecting", () => { this.set("reconnecting", _("The connection is weak; it is being repaired.")); });
    call.on("reconnected", () => this.settle());
    call.on("sample", (sample) => this.judge(call, sample));
    call.on("warning", (name) => { this.trouble = name; });
    call.on("warning-cleared", () => { this.trouble = ""; });
    const found = await this.whose(call.parameters.CallSid);
    if (this.call !== call) return;
    if (!found.own) {
      // Not for this page. It rings out at the provider, or is answered elsewhere.
      call.ignore();
      this.over(call);
      return;
    }
    this.help = found.call_for_help ?? null;
    if (found.accept) this.accept();
    else this.set("ringing", found.words);
  }

  accept() {
    const { call } = this;
    this.heard = false;
    call?.accept({ rtcConstraints: { audio: constraints(this.microphone) } });
    call?.once("accept", () => call.getLocalStream()?.getAudioTracks().forEach((track) => {
      // Unplugged in the middle of a talk.
      track.onended = () => {
        if (this.call !== call) return;
        this.unplugged = true;
        this.settle();
      };
    }));
    this.settle();
  }

  pluggedIn() {
    if (!this.unplugged) return;
    this.unplugged = false;
    this.settle();
  }

  // A microphone was plugged in again while the talk goes on: the caller hears the counsellor by it.
  async speakAgain(microphone, speaker) {
    this.changed = true;
    await this.choose({ microphone, speaker });
    this.settle();
  }

  // "In a talk" is only said once sound has come.
  judge(call, sample) {
    if (!this.heard && sample.packetsReceived > 0) { this.heard = true; this.settle(); }
    const lost = sample.packetsLostFraction ?? 0;
    const quality = this.trouble || lost > 5 || sample.rtt > 400 || sample.jitter > 60 ? "poor"
      : lost > 1 || sample.rtt > 200 || sample.jitter > 30 ? "fair" : "good";
    if (quality !== this.quality) { this.quality = quality; this.tell(this); }
  }

  settle() {
    if (!this.call) return;
    this.call.mute(this.muted);
    if (this.unplugged) this.set("no_microphone", refused({ name: "NotFoundError" }));
    else this.set("talking", this.heard ? "" : "connecting");
  }

  over(call) {
    if (this.call !== call) return;
    // Without its socket the SDK leaves the microphone open.
    call.getLocalStream()?.getTracks().forEach((track) => track.stop());
    this.call = null;
    this.rest();
    // The SDK would keep a microphone open that was chosen in the talk.
    if (this.changed) this.device?.audio?.unsetInputDevice().catch(() => {});
    this.changed = this.unplugged = false;
    this.quality = this.trouble = "";
    const back = this.device?.state === "registered" ? "ready" : "reconnecting";
    if (this.state !== "no_microphone") this.set(back);
    // That there is no call, also where the state is as before.
    this.tell(this);
  }

  mute(muted) {
    this.muted = muted;
    this.call?.mute(muted);
  }

  press(keys) { this.call?.sendDigits(keys); }

  hangUp() {
    const { call } = this;
    if (!call) return;
    if (call.status() === "pending") call.reject();
    else call.disconnect();
    this.over(call);
  }

  // -- devices --------------------------------------------------------------------------------

  async choose({ microphone, speaker }) {
    const isReset = this.speaker && !speaker;
    Object.assign(this, { microphone, speaker });
    const audio = this.device?.audio;
    if (!audio) return;
    // In a talk the microphone changes at once; else it is used for the next one, and not kept open.
    if (this.call && (microphone || this.changed)) {
      this.changed = true;
      await audio.setInputDevice(microphone || AS_THE_COMPUTER).then(() => this.pluggedIn(), () => {});
    }
    if ((speaker || isReset) && audio.isOutputSelectionSupported) {
      await audio.speakerDevices.set(speaker || AS_THE_COMPUTER).catch(() => {});
    }
  }

  // Calls back with the level of the microphone, from 0 to 1, until the function it returns is called.
  static async levels(microphone, tell) {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: constraints(microphone) });
    const context = new AudioContext();
    await context.resume();
    const meter = context.createAnalyser();
    context.createMediaStreamSource(stream).connect(meter);
    const wave = new Float32Array(meter.fftSize);
    const timer = setInterval(() => {
      meter.getFloatTimeDomainData(wave);
      tell(Math.min(1, 4 * Math.sqrt(wave.reduce((sum, one) => sum + one * one, 0) / wave.length)));
    }, 80);
    return () => {
      clearInterval(timer);
      stream.getTracks().forEach((track) => track.stop());
      context.close();
    };
  }

  // Plays a second of sound on a loudspeaker.
  static async tone(speaker) {
    const context = new AudioContext();
    if (speaker && context.setSinkId) await context.setSinkId(speaker).catch(() => {});
    const source = context.createOscillator();
    const volume = context.createGain();
    volume.gain.value = 0.2;
    source.frequency.value = 523;
    source.connect(volume).connect(context.destination);
    source.onended = () => context.close();
    source.start();
    source.stop(context.currentTime + 1);
  }

  // The sound system of the SDK measures a talk. Between talks it rests: it works a hundred times a
  // second. A browser lets it begin only after a click on the page.
  rest() { if (!this.call) Device.audioContext?.suspend(); }

  wake() { if (this.call) Device.audioContext?.resume(); }

  stop(state = "off", words = "") {
    this.call?.disconnect();
    this.call = null;
    this.rest();
    this.device?.destroy();
    this.device = null;
    this.set(state, words);
  }
}

const constraints = (microphone) => ({
  echoCancellation: true,
  noiseSuppression: true,
  autoGainControl: true,
  ...(microphone ? { deviceId: { exact: microphone } } : {}),
});

const refused = (error) => {
  const name = error?.name ?? error?.originalError?.name ?? "";
  if (name === "NotAllowedError" || error?.code === 31401 || error?.code === 31208) {
    return _("The browser may not use the microphone. Click the sign at the left of the address, allow the microphone, and try again.");
  }
  if (name === "NotFoundError" || name === "OverconstrainedError") {
    return _("No microphone was found. Plug in your headset, choose it, and try again.");
  }
  if (name === "NotReadableError") return _("Another program is using the microphone. Close it and try again.");
  return _("The microphone could not be opened. Plug in your headset, and try again.");
};

