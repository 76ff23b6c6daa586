// The log: the same lines that journald or a terminal gets. No number, name or word of a caller stands in it.

import { h } from "/page/dom.js";
import { t } from "/page/words.js";

const KEPT = 500;

export function kept(lines, more) {
  return [...lines, ...more].slice(-KEPT);
}

export function log(now) {
  return [
    h("h2", { tabindex: "-1" }, t("log.title")),
    now.session.scopes.includes("settings") ? h("p", { class: "quiet" }, t("log.text")) : h("p", null, t("settings.not_yours")),
    h("div", { class: "log", lang: "en", tabindex: "0", role: "log", "aria-label": t("log.title") },
      now.log.toReversed().map((line) => h("p", null, line))),
  ];
}
