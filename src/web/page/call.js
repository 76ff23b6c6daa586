// The page with the button. Text is set as text, never as markup.

import { CallError, Line } from "./line.js";

const byId = (id) => document.getElementById(id);
const KEYS = [..."123456789*0#"];
const METER_MS = 60;
// Full scale of the meters: speech is at about -20 dBFS.
const LOUDEST = 0.35;

let line = null;
let sounds = null;
let metering;
// Lines of the talk that are shown.
let showing = 0;

const NO_MICROPHONE = "A browser gives a microphone only to pages that come over https or from this machine. "
  + "Open the page as http://localhost, for example through a tunnel: "
  + "ssh -L 8080:127.0.0.1:8080 BOX, then http://localhost:8080/call.";
const MICROPHONE_FAULTS = {
  NotAllowedError: "The microphone is not allowed. Allow it for this page and call again.",
  NotFoundError: "There is no microphone. Connect one and call again.",
  NotReadableError: "The microphone cannot be used; another program may have it.",
};

function state(text, name = "") {
  byId("state").textContent = text;
  byId("state").className = name;
}

function fault(text) {
  byId("error").textContent = text ?? "";
  byId("error").hidden = !text;
}

function controls(isCalling) {
  byId("call").hidden = isCalling;
  byId("hang-up").hidden = !isCalling;
  for (const id of ["mute", "keypad"]) byId(id).disabled = !isCalling;
  if (!isCalling) {
    press(byId("mute"), "aria-pressed", false);
    byId("mute").textContent = "Mute";
    press(byId("keypad"), "aria-expanded", false);
    byId("keys").hidden = true;
  }
}

function press(button, name, value) {
  button.setAttribute(name, String(value));
}

async function microphone() {
  if (!navigator.mediaDevices?.getUserMedia) throw new CallError(NO_MICROPHONE);
  try {
    const audio = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
    return await navigator.mediaDevices.getUserMedia({ audio });
  } catch (error) {
    throw new CallError(MICROPHONE_FAULTS[error.name] ?? `The microphone cannot be used: ${error.message}`);
  }
}

async function call() {
  fault(null);
  byId("talk").replaceChildren();
  showing = 0;
  state("Asking for the microphone …", "waiting");
  byId("call").disabled = true;
  let stream = null;
  try {
    stream = await microphone();
    sounds ??= new AudioContext();
    sounds.resume();
    line = new Line(stream, { token: sessionStorage.getItem("token") });
    follow(line);
    controls(true);
    byId("hang-up").focus();
    state("Calling …", "waiting");
    await line.call();
  } catch (error) {
    // Whatever failed: the microphone is let go, and the box told.
    line?.hangUp(null);
    for (const track of stream?.getTracks() ?? []) track.stop();
    if (line) over(null);
    state("Ready");
    byId("access").hidden = ![401, 403].includes(error.status);
    fault(error instanceof CallError ? error.message : `The call failed: ${error.message}`);
  } finally {
    byId("call").disabled = false;
  }
}

function follow(own) {
  own.addEventListener("up", () => {
    state("In call", "talking");
    byId("sound").srcObject = own.remote;
    meter(own);
  });
  own.addEventListener("lost", () => state("Looking for another way …", "waiting"));
  own.addEventListener("words", ({ detail }) => show(detail));
  own.addEventListener("over", ({ detail }) => { if (line === own) over(detail); });
}

function over(reason) {
  clearInterval(metering);
  byId("ours").value = byId("theirs").value = 0;
  byId("sound").srcObject = null;
  byId("partial").hidden = true;
  line = null;
  controls(false);
  byId("call").focus();
  if (reason !== null) state(`Ended. ${reason}`);
}

// Root mean square of the newest sound, 0 to 1 of what the meter shows.
function loudness(stream) {
  const analyser = sounds.createAnalyser();
  analyser.fftSize = 1024;
  sounds.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  return () => {
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
    return Math.min(1, Math.sqrt(power) / LOUDEST);
  };
}

function meter(own) {
  if (own.remote.getAudioTracks().length === 0) return;
  const [ours, theirs] = [loudness(own.microphone), loudness(own.remote)];
  clearInterval(metering);
  metering = setInterval(() => {
    byId("ours").value = ours();
    byId("theirs").value = theirs();
  }, METER_MS);
}

function said(who, name, text) {
  const item = document.createElement("li");
  item.className = name;
  const speaker = document.createElement("b");
  speaker.textContent = who;
  item.append(speaker, text);
  return item;
}

// What is there already stays as it is: a screen reader reads out what is new.
function show(known) {
  const items = known.turns.flatMap(({ caller, reply }) => [
    ...(caller ? [["You", "you", caller]] : []),
    ...(reply ? [["Attendant", "we", reply]] : []),
  ]);
  const talk = byId("talk");
  items.forEach(([who, name, text], at) => {
    const before = talk.children[at];
    if (before?.className === name) {
      if (before.lastChild.textContent !== text) before.lastChild.textContent = text;
    } else {
      talk.insertBefore(said(who, name, text), before ?? null);
    }
  });
  while (talk.children.length > items.length) talk.lastChild.remove();
  if (items.length > showing) talk.lastElementChild.scrollIntoView({ block: "nearest" });
  showing = items.length;
  byId("partial").hidden = !known.partial;
  byId("settled").textContent = known.partial?.settled ?? "";
  byId("rest").textContent = known.partial?.rest ?? "";
}

byId("keys").replaceChildren(...KEYS.map((key) => {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = key;
  button.ariaLabel = { "*": "star", "#": "hash" }[key] ?? key;
  button.addEventListener("click", () => {
    if (line && !line.press(key)) fault("The box takes no keys in this call.");
  });
  return button;
}));
byId("call").addEventListener("click", call);
byId("hang-up").addEventListener("click", () => line?.hangUp());
byId("mute").addEventListener("click", ({ currentTarget }) => {
  const isMuted = currentTarget.getAttribute("aria-pressed") !== "true";
  press(currentTarget, "aria-pressed", isMuted);
  currentTarget.textContent = isMuted ? "Muted" : "Mute";
  line?.mute(isMuted);
});
byId("keypad").addEventListener("click", ({ currentTarget }) => {
  const isOpen = currentTarget.getAttribute("aria-expanded") !== "true";
  press(currentTarget, "aria-expanded", isOpen);
  byId("keys").hidden = !isOpen;
});
addEventListener("keydown", ({ key, target }) => {
  if (line && KEYS.includes(key) && !["INPUT", "TEXTAREA"].includes(target.tagName)) line.press(key);
});
byId("access").addEventListener("submit", (event) => {
  event.preventDefault();
  // As long as this page is open, and only for it.
  sessionStorage.setItem("token", byId("token").value);
  byId("access").hidden = true;
  call();
});
addEventListener("online", () => line?.restart());
addEventListener("pagehide", () => line?.hangUp());
if (!isSecureContext) fault(NO_MICROPHONE);
