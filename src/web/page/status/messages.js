// What callers left, to be read and marked.

import { h } from "/page/dom.js";
import { t } from "/page/words.js";
import { ask, get } from "/page/api.js";
import { day } from "/page/format.js";

const kept = { messages: null, fault: "" };

async function load(now) {
  try {
    kept.messages = (await get("/api/messages")).messages;
    kept.fault = "";
  } catch (error) {
    kept.messages ??= [];
    kept.fault = error.status === 404 ? t("history.not_kept") : error.message;
  }
  now.render();
}

function mark(now, one) {
  return async () => {
    try {
      await ask("PATCH", `/api/messages/${one.id}`, { read: one.read_at_ms === null });
      await load(now);
    } catch (error) {
      now.say(error.message);
    }
  };
}

// What was said after the tone, and how far its words are.
function sound(one) {
  const state = { waiting: t("messages.words_waiting"), none: t("messages.words_none") }[one.sound.transcript];
  return h("div", { class: "sound" },
    h("audio", { "data-key": `sound-${one.id}`, "data-own": true, controls: true, preload: "none", src: one.sound.url, "aria-label": t("messages.sound") }),
    state && h("p", { class: "quiet" }, state));
}

function message(now, one) {
  const fields = Object.entries(one.fields).map(([name, value]) => `${name}: ${value}`);
  return h("li", { "data-key": one.id, class: one.read_at_ms === null ? "card unread" : "card" },
    h("strong", null, [one.topic, one.name].filter(Boolean).join(" · ")),
    one.number && h("a", { href: `tel:${one.number}` }, one.number),
    one.text && h("p", null, one.text),
    one.sound && sound(one),
    fields.length > 0 && h("p", null, fields.join(" · ")),
    h("span", { class: "quiet" }, day(one.left_at_ms)),
    one.call !== null && h("a", { href: `#history/${one.call}` }, t("messages.call")),
    now.session.scopes.includes("history")
      && h("button", { type: "button", onclick: mark(now, one) }, one.read_at_ms === null ? t("messages.read") : t("messages.unread")));
}

export function messages(now) {
  if (kept.messages === null) {
    kept.messages = [];
    load(now);
  }
  return [
    h("h2", { tabindex: "-1" }, t("messages.title")),
    kept.fault && h("p", { class: "warning", role: "alert" }, kept.fault),
    kept.messages.length === 0 ? h("p", { class: "quiet" }, t("messages.none")) : h("ul", { class: "cards" }, kept.messages.map((one) => message(now, one))),
  ];
}

export function forget() {
  kept.messages = null;
}
