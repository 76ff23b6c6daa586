// Buttons that try the box: a call to itself, a line, a voice, who is told.

import { h } from "/page/dom.js";
import { t } from "/page/words.js";
import { ask, bytes } from "/page/api.js";
import { clock, number } from "/page/format.js";

const kept = { sound: null };

export function begin(now, what, name = null) {
  return async () => {
    try {
      await ask("POST", "/api/trials", name === null ? { what } : { what, name });
      now.say("");
    } catch (error) {
      now.say(error.status === 429 ? t("trial.too_often") : error.message);
    }
  };
}

// What came of the last one of a kind, and of this name.
export function outcome(now, what, name = null) {
  const one = now.trials.find((trial) => trial.what === what && trial.name === name);
  if (!one) return null;
  if (one.state === "running") return h("p", { role: "status", class: "wait" }, t("trial.running"));
  const time = clock(one.begun_at_ms);
  const text = one.greeted_ms === null ? null
    : t("trial.greeted", { greeted: number(one.greeted_ms), answered: number(one.answered_ms) });
  return h("p", { role: "status", class: one.state === "well" ? "good" : "bad" },
    `${time}: ${t(`trial.${one.state}`)}. `, text ?? h("span", { lang: "en" }, one.told));
}

function row(now, what, name, label) {
  const isRunning = now.trials.some((trial) => trial.what === what && trial.state === "running");
  return h("div", { "data-key": `trial-${what}-${name ?? ""}` },
    h("button", { id: name === null ? `try-${what}` : null, type: "button", disabled: isRunning, onclick: begin(now, what, name) }, label),
    outcome(now, what, name));
}

// Speaks a sentence in the voice, for whoever sits at the page.
export async function hear(now, voice, language) {
  try {
    const body = JSON.stringify({ voice, language, text: t(`trial.sentence_${language === "ru" ? "ru" : "en"}`) });
    const sound = await bytes("POST", "/api/trials/voice", body, "application/json");
    if (kept.sound) URL.revokeObjectURL(kept.sound);
    kept.sound = URL.createObjectURL(sound);
    now.say("");
    const audio = document.getElementById("trial-sound");
    if (audio) {
      audio.hidden = false;
      audio.src = kept.sound;
      await audio.play().catch(() => null);
    }
  } catch (error) {
    now.say(error.status === 429 ? t("trial.too_often") : error.message);
  }
}

// It has its sound again each time that the page is drawn.
export const player = () => h("audio", { id: "trial-sound", "data-key": "trial-sound", "data-own": true, controls: true,
  hidden: kept.sound === null, src: kept.sound, "aria-label": t("trial.sound") });

export function trials(now) {
  const { accounts = [], webhooks = [], engine = null } = now.health ?? {};
  const speak = (event) => {
    event.preventDefault();
    const { voice, language } = event.target.elements;
    hear(now, voice.value, language.value);
  };
  return [
    row(now, "call", null, t("trial.call")),
    accounts.map((one) => row(now, "line", one.name, t("trial.line", { name: one.name }))),
    webhooks.map((one) => row(now, "receiver", one.name, t("trial.receiver", { name: one.name }))),
    engine && h("form", { "data-key": "trial-voice", class: "inline", onsubmit: speak },
      h("label", null, t("trial.voice"), h("select", { name: "voice" }, voices(engine).map((name) => h("option", { value: name }, name)))),
      h("label", null, t("first.language"), h("select", { name: "language" }, h("option", { value: "en" }, t("language.en")), h("option", { value: "ru" }, t("language.ru")))),
      h("button", { id: "try-voice" }, t("trial.hear"))),
    player(),
  ];
}

// As `speech.voice` names them.
export function voices(engine) {
  const names = (engine?.voices ?? []).filter((voice) => !voice.fault).map((voice) => voice.name);
  return names.flatMap((name) => (name === "espeak" ? ["espeak:en", "espeak:ru"] : [name]));
}
