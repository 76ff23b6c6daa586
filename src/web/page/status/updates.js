// Newer versions: whether there is one, and what becomes of it.

import { h } from "/page/dom.js";
import { named, t } from "/page/words.js";
import { ask } from "/page/api.js";
import { fact } from "/page/facts.js";
import { day } from "/page/format.js";

const AT_REST = ["none", "available", "failed"];

function order(now, wish, when) {
  return async () => {
    try {
      await ask("POST", "/api/updates", { wish, when });
      now.say("");
    } catch (error) {
      now.say(error.message);
    }
  };
}

async function drop(now) {
  try {
    await ask("DELETE", "/api/updates");
    now.say("");
  } catch (error) {
    now.say(error.message);
  }
}

function held(now, told) {
  const { wish, not_before_ms } = told.held;
  const calls = now.health?.live_calls ?? 0;
  const why = not_before_ms > Date.now() ? t("updates.held_until", { time: day(not_before_ms) }) : t("updates.held_calls", { count: calls });
  return h("div", { class: "warning", id: "update-held" }, h("p", null, `${t(`updates.${wish}`)}: ${why}`),
    h("button", { type: "button", onclick: () => drop(now) }, t("updates.drop")));
}

function choices(now, told) {
  const button = (id, wish, when, text, kind = null) =>
    h("button", { id, type: "button", class: kind, onclick: order(now, wish, when) }, text);
  const mayBegin = AT_REST.includes(told.state) && told.held === null;
  if (!mayBegin) return null;
  return [
    h("div", { class: "buttons" },
      button("update-check", "check", "now", t("updates.check")),
      told.state === "available" && [
        button("update-now", "install", "now", t("updates.install_now")),
        button("update-later", "install", "later", t("updates.install_later", { time: told.at }))],
      button("update-back", "rollback", "now", t("updates.rollback"), "danger")),
    h("p", { class: "quiet" }, t("updates.calls_first")),
  ];
}

export function updates(now) {
  const title = h("h2", { tabindex: "-1" }, t("updates.title"));
  if (!now.session.scopes.includes("settings")) return [title, h("p", null, t("settings.not_yours"))];
  const told = now.updates;
  if (told === null) return [title, h("p", { class: "quiet" }, t("answering.asking"))];
  return [
    title,
    h("dl", { class: "facts" },
      fact(t("updates.version"), told.version),
      told.is_possible && fact(t("updates.system"), told.current || "–"),
      told.available !== "" && fact(t("updates.available"), told.available)),
    told.is_possible
      ? [
        h("p", { id: "update-state", role: "status", class: told.state === "failed" ? "bad" : "" }, named(`update.${told.state}`, told.state)),
        told.state === "installing" && h("progress", { max: 100, value: told.percent, "aria-label": t("update.installing") }),
        told.message && h("p", { lang: "en" }, told.message),
        told.held && held(now, told),
        choices(now, told),
        h("p", { class: "quiet" }, told.is_automatic ? t("updates.automatic", { time: told.at }) : t("updates.by_hand")),
      ]
      : h("p", { id: "update-state" }, t("updates.elsewhere")),
  ];
}
