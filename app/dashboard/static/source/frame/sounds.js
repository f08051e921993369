// What rings: a few sounds, made by the page itself, so that nothing is fetched when it matters. Each
// is three seconds, played in a loop by the sound system.

// When a note begins, in seconds, and how high it is.
const SOUNDS = {
  bell: { notes: [[0, 660], [0.45, 880]], fades: 5 },
  telephone: { notes: [0, 0.1, 0.2, 0.3, 0.4, 0.8, 0.9, 1, 1.1, 1.2].map((from, n) => [from, n % 2 ? 950 : 1150]), fades: 14 },
  chime: { notes: [[0, 784], [0.3, 659], [0.6, 523]], fades: 3 },
  low: { notes: [[0, 330], [0.5, 392]], fades: 4 },
  // A child who writes: two quick drops and a pause, apart from every ring of a call.
  written: { notes: [[0, 1320], [0.14, 1760], [1.5, 1320], [1.64, 1760]], fades: 18 },
  message: { notes: [[0, 1480]], fades: 16 },
  // Something to be seen soon: two low notes, and a long pause. It never rings like a child.
  notice: { notes: [[0, 294], [0.4, 233]], fades: 5, seconds: 20 },
  // A call for help: six notes, up and down, with hardly a pause.
  help: { notes: [[0, 740], [0.4, 988], [0.8, 740], [1.2, 988], [1.6, 740], [2, 988]], fades: 5 },
};
const SECONDS = 3;
const NOTE = 0.9;
const RISES = 12;

export const chosen = (name) => { try { return localStorage.getItem(`helpline-${name}`) ?? ""; } catch { return ""; } };
export const choose = (name, value) => { try { localStorage.setItem(`helpline-${name}`, value); } catch { /* not kept */ } };
// What a person cannot choose as the sound of a ring.
const OWN = ["help", "notice", "written", "message"];
export const soundChosen = () => (SOUNDS[chosen("sound")] && !OWN.includes(chosen("sound")) ? chosen("sound") : "bell");
export const loudnessChosen = () => Math.min(1, Math.max(0.2, Number(chosen("loudness")) || 0.6));

let context;
// How many sounds there are now. A sound system that plays nothing rests: it works a hundred times a
// second.
let sounding = 0;
const ended = () => {
  sounding -= 1;
  if (!sounding) context.suspend();
};
const buffer = ({ notes, fades, seconds = SECONDS }) => {
  const rate = context.sampleRate;
  const made = context.createBuffer(1, rate * seconds, rate);
  const data = made.getChannelData(0);
  for (const [from, pitch] of notes) {
    for (let n = 0; n < rate * NOTE && from * rate + n < data.length; n += 1) {
      data[Math.floor(from * rate) + n] += 0.7 * Math.sin((2 * Math.PI * pitch * n) / rate) * Math.exp((-fades * n) / rate);
    }
  }
  return made;
};

// A browser lets a page make sound only after a click on it.
export const wake = () => { if (sounding) context.resume(); };
export const canChooseRinger = () => "setSinkId" in (globalThis.AudioContext?.prototype ?? {});

// Begins to ring, and returns what stops it. A call for help is loud at once.
export const start = (name) => {
  try {
    context ??= new AudioContext();
    context.resume();
    // An empty id is the device that the computer is set to.
    if (canChooseRinger()) context.setSinkId(chosen("ringer")).catch(() => context.setSinkId("").catch(() => {}));
    const source = context.createBufferSource();
    const volume = context.createGain();
    const most = name === "help" ? 1 : name === "notice" ? loudnessChosen() / 3 : loudnessChosen();
    source.buffer = buffer(SOUNDS[name]);
    source.loop = true;
    volume.gain.setValueAtTime(name === "help" ? 0.6 : name === "notice" ? most : most / 4, context.currentTime);
    volume.gain.linearRampToValueAtTime(most, context.currentTime + (name === "help" ? 4 : RISES));
    source.connect(volume).connect(context.destination);
    source.start();
    sounding += 1;
    source.onended = ended;
    return () => source.stop();
  } catch {
    // No sound on this machine: the title, the notification and the bar remain.
    return () => {};
  }
};

// Sounds once, and not again.
export const once = (name) => {
  const stop = start(name);
  setTimeout(stop, SECONDS * 1000 - 200);
};
