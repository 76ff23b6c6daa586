// What pages that telephone share: they tell the test's server what they saw and heard.

export const tell = (name, body) => fetch(`/told/${name}`, { method: "POST", body });
const shown = (event) => (event.reason ?? event.message ?? event).toString();
addEventListener("error", (event) => tell("failed", shown(event)));
addEventListener("unhandledrejection", (event) => tell("failed", shown(event)));

export const settings = await (await fetch("/settings")).json();

/** Collects what comes over a connection, as 16-bit samples; gives what gives them. */
export function record(connection) {
  const stream = new MediaStream(connection.getReceivers().map(({ track }) => track));
  const context = new AudioContext({ sampleRate: settings.rate });
  const audio = document.createElement("audio");
  audio.muted = true;
  audio.srcObject = stream;
  audio.play();
  const taker = context.createScriptProcessor(4096, 1, 1);
  const taken = [];
  taker.onaudioprocess = ({ inputBuffer }) => {
    const samples = inputBuffer.getChannelData(0);
    taken.push(Int16Array.from(samples, (value) => Math.max(-1, Math.min(1, value)) * 32767));
  };
  context.createMediaStreamSource(stream).connect(taker);
  taker.connect(context.destination);
  return () => new Blob(taken);
}
