// One call: what is said, who speaks, how it sounds, where the time goes, and what can be done with it.

import { h } from "/page/dom.js";
import { t } from "/page/words.js";
import { ask } from "/page/api.js";
import { fact } from "/page/facts.js";
import { day, ending, lasted, number, peer, quality, state } from "/page/format.js";
import { speaker } from "/page/overview.js";
import { attended, listening } from "/page/listening.js";
import { waterfall } from "/page/waterfall.js";

function talk(call) {
  const words = (text) => text ?? t("call.hidden");
  const lines = call.turns.flatMap((turn, index) => [
    turn.caller !== "" && h("li", { "data-key": `c${index}`, class: "said-caller" }, h("b", null, t("speaking.caller_name")), words(turn.caller)),
    turn.reply !== "" && h("li", { "data-key": `r${index}`, class: turn.interrupted ? "said-us interrupted" : "said-us" },
      h("b", null, t("speaking.us_name")), words(turn.reply), turn.interrupted && h("small", null, ` (${t("call.interrupted")})`)),
  ]);
  const partial = call.partial && h("li", { "data-key": "partial", class: "said-caller partial", "aria-hidden": "true" },
    h("b", null, t("speaking.caller_name")), `${call.partial.settled} `, h("i", null, call.partial.rest));
  return h("ol", { class: "talk", "aria-live": "polite", "aria-label": t("call.talk"), tabindex: "0" }, lines, partial);
}

function sound(call) {
  const { rtp, mos } = call;
  const score = (name, one) => {
    const judged = quality(one?.last);
    const value = one ? `${judged.text} (${number(one.last, 1)}; ${t("quality.worst")} ${number(one.worst, 1)})` : judged.text;
    return fact(name, value, `quality-${judged.name}`);
  };
  const all = rtp.packets_received + rtp.packets_lost;
  return h("dl", { class: "facts" },
    score(t("quality.we_hear"), mos.incoming),
    score(t("quality.they_hear"), mos.outgoing),
    fact(t("quality.codec"), `${call.codec ?? "–"}${call.srtp ? `, ${t("quality.encrypted")}` : ""}`),
    fact(t("quality.packets"), `${number(rtp.packets_received)} / ${number(rtp.packets_sent)}`),
    fact(t("quality.lost"), `${number(rtp.packets_lost)} (${number(all ? (100 * rtp.packets_lost) / all : 0, 1)} %)`),
    fact(t("quality.late"), number(rtp.packets_late)),
    fact(t("quality.jitter"), `${number(rtp.jitter_ms, 1)} ms`),
    fact(t("quality.round_trip"), rtp.round_trip_ms === null ? "–" : `${number(rtp.round_trip_ms)} ms`),
    fact(t("quality.concealed"), `${number(rtp.concealed_ms)} ms`),
    fact(t("quality.greeting"), call.greeting_delay_ms === null ? "–" : `${number(call.greeting_delay_ms)} ms`));
}

function message(one, index) {
  const parts = [one.topic, one.name, one.number, one.text, ...Object.entries(one.fields).map(([name, value]) => `${name}: ${value}`)];
  return h("li", { "data-key": `m${index}` }, parts.filter(Boolean).join(" · "));
}

function controls(now, call) {
  if (!now.session.scopes.includes("calls") || call.ended_at_ms !== null) return null;
  const act = (work) => async () => {
    try {
      await work();
      now.say("");
    } catch (error) {
      now.say(error.message);
    }
  };
  const control = (value) => act(() => ask("POST", `/api/calls/${call.id}/control`, value));
  return h("div", { class: "buttons", role: "group", "aria-label": t("call.controls") },
    h("button", { type: "button", onclick: control({ action: "mute" }) }, t("call.mute")),
    h("button", { type: "button", onclick: control({ action: "unmute" }) }, t("call.unmute")),
    h("button", { type: "button", onclick: control({ action: "hold" }) }, t("call.hold")),
    h("button", { type: "button", onclick: control({ action: "resume" }) }, t("call.resume")),
    h("form", { class: "inline", onsubmit: (event) => {
      event.preventDefault();
      const to = event.target.elements.to.value.trim();
      if (to) control({ action: "transfer", to })();
    } }, h("label", null, t("call.transfer_to"), h("input", { name: "to", maxlength: 256, autocomplete: "off" })),
      h("button", null, t("call.transfer"))),
    h("button", { type: "button", class: "danger", onclick: act(() => ask("DELETE", `/api/calls/${call.id}`)) }, t("call.hang_up")));
}

export function call(now, id) {
  const one = now.call?.id === id ? now.call : null;
  if (one === null) {
    const isKnown = now.calls?.some((known) => known.id === id) ?? true;
    return [h("h2", null, t("call.title")), h("p", { class: "quiet" }, isKnown ? t("answering.asking") : t("call.unknown"))];
  }
  const isUp = one.ended_at_ms === null;
  return [
    h("p", null, h("a", { href: "#" }, `← ${t("nav.overview")}`)),
    h("h2", { tabindex: "-1" }, `${one.direction === "inbound" ? t("call.from") : t("call.to")} ${peer(one.peer)}`),
    h("p", { class: "line" },
      isUp && one.state === "active" && !one.is_joined && !one.is_taken_over ? speaker(one)
        : h("strong", null, one.is_taken_over ? t("listening.taken_over") : one.is_joined && isUp ? t("call.joined") : state(one)),
      h("span", null, day(one.started_at_ms)),
      h("span", { class: "figure", "data-since": isUp ? one.answered_at_ms : null }, lasted(one)),
      !isUp && h("span", null, ending(one))),
    one.one_way && h("p", { class: "warning", lang: "en" }, one.one_way.text),
    listening(now, one),
    controls(now, one),
    attended(one.attended),
    h("div", { class: "halves" },
      h("section", { "aria-label": t("call.talk") }, h("h3", null, t("call.talk")), talk(one),
        one.messages?.length > 0 && [h("h3", null, t("call.messages")), h("ul", null, one.messages.map(message))]),
      h("section", { "aria-label": t("quality.title") }, h("h3", null, t("quality.title")), sound(one))),
    h("h3", null, t("waterfall.title")),
    waterfall(one.turns),
  ];
}
