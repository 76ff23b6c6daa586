// Trunks: where the box is registered, and who is told what happens.

import { h } from "/page/dom.js";
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

export function lines(now) {
  const accounts = now.health?.accounts ?? [];
  const webhooks = now.health?.webhooks ?? [];
  return [
    h("h2", { tabindex: "-1" }, t("lines.title")),
    accounts.length === 0 ? h("p", { class: "quiet" }, t("lines.none")) : h("ul", { class: "cards" }, accounts.map((one) => account(now, one))),
    webhooks.length > 0 && [h("h2", null, t("lines.webhooks")), h("ul", { class: "cards" }, webhooks.map((one) => webhook(now, one)))],
  ];
}
