// Trunks: where the box is registered, and who is told what happens.

import { h } from "/page/dom.js";
import { ask } from "/page/api.js";
import { named, t } from "/page/words.js";
import { clock, number } from "/page/format.js";
import { begin, outcome } from "/page/trials.js";

const WELL = ["registered", "open"];

function account(now, one) {
  const isWell = WELL.includes(one.state);
  const since = one.failing_since_ms !== null && t("lines.since", { time: clock(one.failing_since_ms) });
  const until = one.registered_until_ms !== null && t("lines.until", { time: clock(one.registered_until_ms) });
  return h("li", { "data-key": one.name, class: "card" },
    h("strong", null, one.name),
    h("span", { class: isWell ? "good" : one.state === "registering" ? "wait" : "bad" }, named(`account.${one.state}`, one.state)),
    (since || until) && h("span", { class: "quiet" }, since || until),
    one.reason && h("span", { lang: "en" }, one.reason),
    tried(now, "line", one.name));
}

// The owner finds out now.
function tried(now, what, name) {
  if (!now.session.scopes.includes("settings")) return null;
  const isRunning = now.trials.some((trial) => trial.what === what && trial.state === "running");
  return [h("button", { type: "button", disabled: isRunning, onclick: begin(now, what, name) }, t("trial.now")), outcome(now, what, name)];
}

function webhook(now, one) {
  return h("li", { "data-key": one.name, class: "card" },
    h("strong", null, one.name),
    h("span", { class: one.fault || one.is_gone ? "bad" : "good" }, one.is_gone ? t("webhook.gone") : one.fault ? t("webhook.fault") : t("webhook.well")),
    h("span", { class: "quiet" }, t("webhook.figures", { delivered: number(one.delivered), waiting: number(one.waiting), lost: number(one.lost) })),
    one.fault && h("span", { lang: "en" }, one.fault),
    tried(now, "receiver", one.name));
}

function handset(now, one) {
  const act = (action) => async () => {
    try {
      await ask("POST", `/api/handsets/${encodeURIComponent(one.name)}`, { action });
      now.say("");
    } catch (error) {
      now.say(error.message);
    }
  };
  const tone = { idle: "good", talking: "good", ringing: "wait" }[one.state] ?? "bad";
  const button = (states, action, text, kind) => states.includes(one.state)
    && h("button", { type: "button", class: kind, onclick: act(action) }, t(text));
  return h("li", { "data-key": one.name, class: "card" },
    h("strong", null, one.name),
    h("span", { class: tone }, named(`handset.${one.state}`, one.state)),
    h("span", { class: "quiet" }, t("handset.figures", { xruns: number(one.xruns), lost: number(one.lost_frames) })),
    one.fault && h("span", { lang: "en" }, one.fault),
    now.session.scopes.includes("calls") && h("div", { class: "buttons" },
      button(["ringing"], "answer", "handset.answer", ""),
      button(["ringing", "talking"], "hang-up", "handset.hang_up", "danger")));
}

export function lines(now) {
  const accounts = now.health?.accounts ?? [];
  const webhooks = now.health?.webhooks ?? [];
  const handsets = now.health?.handsets ?? [];
  return [
    h("h2", { tabindex: "-1" }, t("lines.title")),
    accounts.length === 0 ? h("p", { class: "quiet" }, t("lines.none")) : h("ul", { class: "cards" }, accounts.map((one) => account(now, one))),
    handsets.length > 0 && [h("h2", null, t("lines.handsets")), h("ul", { class: "cards" }, handsets.map((one) => handset(now, one)))],
    webhooks.length > 0 && [h("h2", null, t("lines.webhooks")), h("ul", { class: "cards" }, webhooks.map((one) => webhook(now, one)))],
  ];
}
