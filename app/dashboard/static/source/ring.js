// Makes a ringing offer heard, and shows it in the window's title.
const title = document.title;
let sound;

const beep = () => {
  try {
    sound ??= new AudioContext();
    const tone = sound.createOscillator();
    const volume = sound.createGain();
    tone.frequency.value = 660;
    volume.gain.value = 0.08;
    tone.connect(volume).connect(sound.destination);
    tone.start();
    tone.stop(sound.currentTime + 0.25);
  } catch {
    // No sound on this machine: the title and the card remain.
  }
};

setInterval(() => {
  const ringing = document.querySelector("[data-ringing]") !== null;
  document.title = ringing ? "☎ Call waiting – Helpline" : title;
  if (ringing) beep();
}, 1000);
