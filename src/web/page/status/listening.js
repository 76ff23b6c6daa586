// Somebody of the firm's listens to a call from this page, and speaks in it in the assistant's place.
//
// One call at a time. Who speaks is what the call's record says, never what was asked for: a page that has lost its
// connection, or a call that was given back, shows so.

import { Line } from "/line.js";
import { h } from "/page/dom.js";
import { t } from "/page/words.js";
import { ask, secret } from "/page/api.js";
import { clock, peer } from "/page/format.js";

const AUDIO = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };

// The box waits so long for a microphone that it hears, and a little.
const PATIENCE_MS = 20_000;

// { id, line, audio, isUp, isAsking, spoke, patience }
let mine = null;

const may = (now) => now.session?.scopes.includes("listen");

function part(call) {
  const is = (one) => one.operator === mine?.line.answer?.operator && one.part === "took-over" && one.to_ms === null;
  return mine?.id === call?.id ? call.attended.find(is) : undefined;
}

function stop() {
  const { line, patience } = mine ?? {};
  clearTimeout(patience);
  mine = null;
  line?.hangUp();
}

async function listen(now, call) {
  stop();
  const line = new Line(null, { offering: `api/calls/${call.id}/listen`, sessions: "api/listening", fields: secret });
  const audio = document.createElement("audio");
  const own = { id: call.id, line, audio, isUp: false, isAsking: false, spoke: false };
  mine = own;
  audio.srcObject = line.remote;
  line.addEventListener("up", () => {
    own.isUp = true;
    audio.play().catch((error) => now.say(error.message));
    now.say(t("listening.listens"));
  });
  line.addEventListener("lost", () => mine === own && now.say(t("listening.lost")));
  line.addEventListener("over", () => {
    audio.srcObject = null;
    if (mine === own) mine = null;
    now.say(t("listening.over"));
  });
  now.render();
  try {
    await line.call();
  } catch (error) {
    if (mine === own) mine = null;
    now.say(error.message);
  }
}

const control = (own, action) => ask("POST", `/api/listening/${own.line.answer.session}/control`, { action });

// Nothing more of this room is sent once the box does not wait for it any more.
function giveUp(now, own, text) {
  clearTimeout(own.patience);
  own.isAsking = false;
  own.line.speak(null).catch(() => {});
  now.say(text);
}

async function takeOver(now) {
  const own = mine;
  if (!navigator.mediaDevices?.getUserMedia) return now.say(t("listening.insecure"));
  own.isAsking = true;
  now.say(t("listening.asking"));
  try {
    // First the microphone, then the call: the assistant goes on until somebody is there.
    await own.line.speak(await navigator.mediaDevices.getUserMedia({ audio: AUDIO }));
    await control(own, "take-over");
    own.patience = setTimeout(() => own.isAsking && !own.spoke && mine === own && giveUp(now, own, t("listening.not_heard")), PATIENCE_MS);
  } catch (error) {
    own.isAsking = false;
    await own.line.speak(null).catch(() => {});
    now.say(error.name === "NotAllowedError" ? t("listening.not_allowed") : error.name === "NotFoundError" ? t("listening.no_microphone") : error.message);
  }
}

async function giveBack(now) {
  const own = mine;
  own.isAsking = false;
  clearTimeout(own.patience);
  try {
    await control(own, "give-back");
  } catch (error) {
    now.say(error.message);
  }
  // Whatever the box says: nothing more of this room is sent.
  await own.line.speak(null).catch(() => {});
}

// What has become of it, with each record that comes.
export function follow(now) {
  if (mine === null) return;
  const call = now.calls?.find((one) => one.id === mine.id);
  if (!call || call.ended_at_ms !== null) {
    stop();
    return;
  }
  const speaks = part(call) !== undefined;
  if (call.is_taken_over && !speaks && mine.isAsking) giveUp(now, mine, t("listening.other"));
  if (speaks && !mine.spoke) {
    clearTimeout(mine.patience);
    mine.isAsking = false;
    now.say(t("listening.speaks"));
  }
  if (!speaks && mine.spoke) {
    mine.line.speak(null).catch(() => {});
    now.say(t("listening.given_back"));
  }
  mine.spoke = speaks;
}

function buttons(now, call) {
  const speaks = part(call) !== undefined;
  const other = call.is_taken_over && !speaks;
  return [
    h("button", { type: "button", id: "stop-listening", onclick: stop }, t(speaks ? "listening.give_back_and_stop" : "listening.stop")),
    !speaks && !mine.isAsking && !other && !call.is_joined
      && h("button", { type: "button", id: "take-over", disabled: !mine.isUp, onclick: () => takeOver(now) }, t("listening.take_over")),
    (speaks || mine.isAsking) && h("button", { type: "button", id: "give-back", onclick: () => giveBack(now) }, t(speaks ? "listening.give_back" : "listening.cancel")),
  ];
}

// What can be done in a call that is up.
export function listening(now, call) {
  if (!may(now) || call.ended_at_ms !== null || call.state !== "active") return null;
  const isMine = mine?.id === call.id;
  return h("div", { class: "buttons", role: "group", "aria-label": t("listening.title") },
    isMine ? buttons(now, call) : h("button", { type: "button", id: "listen", onclick: () => listen(now, call) }, t("listening.listen")));
}

// On every view, so that nobody listens, or is heard, without seeing it.
export function bar(now, id) {
  const call = now.calls?.find((one) => one.id === mine?.id);
  if (!call || id === call.id) return null;
  const text = t(part(call) ? "listening.bar_speaks" : "listening.bar_listens", { peer: peer(call.peer) });
  return h("p", { class: "warning bar" }, h("a", { href: `#call/${call.id}` }, text), h("button", { type: "button", onclick: stop }, t("listening.stop")));
}

// Who was there, of a call that is up or over.
export function attended(parts, leftOut = 0) {
  if (parts.length === 0) return null;
  const by = (name) => (["owner", "reader"].includes(name) ? t(`access.${name}`) : name);
  const until = (one) => (one.to_ms === null ? t("listening.still") : clock(one.to_ms));
  return h("section", { "aria-label": t("listening.who") }, h("h3", null, t("listening.who")), h("ul", { class: "attended" },
    parts.map((one, index) => h("li", { "data-key": index },
      t(one.part === "took-over" ? "listening.took_over" : "listening.listened", { by: by(one.by), from: clock(one.from_ms), to: until(one) }))),
    leftOut > 0 && h("li", null, t("listening.more", { count: leftOut }))));
}

// A page that is left still tells that: the assistant goes on at once.
addEventListener("pagehide", stop);
