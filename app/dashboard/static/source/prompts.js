// The prompts of a line: listening to a text with a voice of the browser, and recording one.
const RATE = 16000;

// Only voices of this machine: others send the text to a server outside.
const voiceFor = (locale) => globalThis.speechSynthesis?.getVoices()
  .find((voice) => voice.localService && voice.lang.slice(0, 2) === locale.slice(0, 2));

const show = () => {
  for (const button of document.querySelectorAll("[data-say]")) button.hidden = !voiceFor(button.dataset.say);
  for (const button of document.querySelectorAll("[data-recorder]")) button.hidden = !navigator.mediaDevices || !globalThis.MediaRecorder;
};

const wav = (samples) => {
  const view = new DataView(new ArrayBuffer(44 + samples.length * 2));
  const write = (at, text) => [...text].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
  write(0, "RIFF"); view.setUint32(4, 36 + samples.length * 2, true); write(8, "WAVEfmt ");
  view.setUint32(16, 16, true); view.setUint16(20, 1, true); view.setUint16(22, 1, true);
  view.setUint32(24, RATE, true); view.setUint32(28, RATE * 2, true);
  view.setUint16(32, 2, true); view.setUint16(34, 16, true);
  write(36, "data"); view.setUint32(40, samples.length * 2, true);
  samples.forEach((sample, i) => view.setInt16(44 + i * 2, Math.max(-1, Math.min(1, sample)) * 32767, true));
  return new File([view], "recording.wav", { type: "audio/wav" });
};

const asWav = async (blob) => {
  const context = new AudioContext();
  const heard = await context.decodeAudioData(await blob.arrayBuffer());
  await context.close();
  const offline = new OfflineAudioContext(1, Math.ceil(heard.duration * RATE), RATE);
  const source = offline.createBufferSource();
  source.buffer = heard;
  source.connect(offline.destination);
  source.start();
  return wav((await offline.startRendering()).getChannelData(0));
};

let recorder = null;

const record = async (button) => {
  const form = button.form;
  const status = form.querySelector("[data-recording]");
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  } catch {
    status.textContent = button.dataset.refused;
    return;
  }
  const words = button.textContent;
  const pieces = [];
  recorder = new MediaRecorder(stream);
  recorder.addEventListener("dataavailable", ({ data }) => pieces.push(data));
  recorder.addEventListener("stop", async () => {
    stream.getTracks().forEach((track) => track.stop());
    button.textContent = words;
    recorder = null;
    const files = new DataTransfer();
    files.items.add(await asWav(new Blob(pieces)));
    form.elements.sound.files = files.files;
    form.requestSubmit();
  });
  recorder.start();
  button.textContent = button.dataset.stop;
};

document.addEventListener("click", (event) => {
  const say = event.target.closest("[data-say]");
  if (say) {
    const words = new SpeechSynthesisUtterance(say.form.elements.text.value);
    [words.voice, words.lang] = [voiceFor(say.dataset.say), say.dataset.say];
    speechSynthesis.cancel();
    speechSynthesis.speak(words);
  }
  const button = event.target.closest("[data-recorder]");
  if (button && recorder) recorder.stop();
  else if (button) record(button);
});
globalThis.speechSynthesis?.addEventListener?.("voiceschanged", show);
export const prompts = show;
