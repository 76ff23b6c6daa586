// Is it answering, and who is talking.

import { h } from "/page/dom.js";
import { named, t } from "/page/words.js";
import { callsTable } from "/page/calls.js";
import { clock, lasted, number, peer, state } from "/page/format.js";

// What the box says of itself, and never anything older: a page that has lost it says so.
export function answer(now) {
  if (now.isLost) return { name: "lost", title: t("answering.lost"), text: t("answering.lost_text") };
  if (now.health === null) return { name: "asking", title: t("answering.asking"), text: "" };
  const { state: name, takes_calls, accounts } = now.health;
  if (!takes_calls || name === "safe") return { name: "no", title: t("answering.no"), text: named(`health.${name}`, name) };
  const failing = accounts.filter((account) => ["failing", "unreachable"].includes(account.state));
  if (accounts.length > 0 && failing.length === accounts.length) {
    return { name: "no", title: t("answering.unreachable"), text: t("answering.unreachable_text") };
  }
  if (name === "degraded") return { name: "less", title: t("answering.yes"), text: t("answering.less") };
  return { name: "yes", title: t("answering.yes"), text: accounts.length === 0 ? "" : t("answering.yes_text") };
}

// No fault: nobody has told the box of a provider yet.
function withoutLine(now) {
  if (now.isLost || now.health?.accounts.length !== 0 || now.health.state === "safe") return null;
  return h("p", { class: "quiet", id: "no-line" }, t("answering.no_line"), " ",
    now.session.scopes.includes("settings") && h("a", { href: "#first-run" }, t("answering.connect")));
}

function banner(now) {
  const { name, title, text } = answer(now);
  const reasons = now.isLost ? [] : now.health?.reasons ?? [];
  return h("section", { class: `answer answer-${name}`, "aria-label": t("answering.label") },
    h("p", { id: "answering", role: "status" }, h("span", { class: "sign", "aria-hidden": "true" }, SIGNS[name]), title),
    text && h("p", null, text),
    !now.isLost && now.health?.canary && h("p", null, proof(now.health.canary)),
    reasons.length > 0 && h("ul", { class: "reasons", lang: "en" }, reasons.map((reason) => h("li", null, reason))));
}

// The box calls itself now and then, by its own telephone line: what that call heard.
function proof(canary) {
  const time = clock(canary.at_ms);
  return canary.is_well ? t("answering.proof", { time, ms: number(canary.greeted_ms) }) : t("answering.proof_failed", { time });
}

const SIGNS = { yes: "✓", less: "!", no: "✕", lost: "?", asking: "…" };

export function speaker(call) {
  const { caller, us } = call.speaking;
  const name = caller && us ? "both" : caller ? "caller" : us ? "us" : "nobody";
  return h("span", { class: `speaker speaker-${name}` }, h("span", { class: "bars", "aria-hidden": "true" }, h("i"), h("i"), h("i")),
    t(`speaking.${name}`));
}

function liveCall(call) {
  return h("li", { "data-key": call.id, class: "card" },
    h("a", { href: `#call/${call.id}`, class: "stretched" },
      h("strong", null, `${call.direction === "inbound" ? "←" : "→"} ${peer(call.peer)}`)),
    call.state === "active" && !call.is_joined && !call.is_taken_over ? speaker(call)
      : h("span", null, call.is_taken_over ? t("listening.taken_over") : call.is_joined ? t("call.joined") : state(call)),
    h("span", { class: "figure", "data-since": call.answered_at_ms }, lasted(call)),
    h("span", { class: "quiet" }, t("call.turns", { count: number(call.turn_count) })));
}

export function overview(now) {
  const calls = now.calls ?? [];
  const live = calls.filter((call) => call.ended_at_ms === null);
  const ended = calls.filter((call) => call.ended_at_ms !== null);
  return [
    banner(now),
    withoutLine(now),
    h("h2", null, t("overview.live", { count: number(live.length) })),
    live.length === 0 ? h("p", { class: "quiet" }, t("overview.none")) : h("ul", { class: "cards" }, live.map(liveCall)),
    h("h2", null, t("overview.ended")),
    ended.length === 0
      ? h("p", { class: "quiet" }, t("overview.never"))
      : callsTable(t("overview.ended"), ended, (call) => `#call/${call.id}`, clock),
    h("p", null, h("a", { class: "button", href: "/call" }, t("overview.try"))),
  ];
}
