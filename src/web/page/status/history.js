// Calls of before: search, one call with its recording and its words in step.

import { h } from "/page/dom.js";
import { t } from "/page/words.js";
import { get } from "/page/api.js";
import { callsTable } from "/page/calls.js";
import { day, ending, lasted, length, peer } from "/page/format.js";
import { attended } from "/page/listening.js";
import { waterfall } from "/page/waterfall.js";

const kept = { query: "", calls: null, before: null, fault: "", one: null, at: 0 };

async function load(now, more = false) {
  const asked = new URLSearchParams();
  if (kept.query) asked.set("query", kept.query);
  if (more && kept.before !== null) asked.set("before", kept.before);
  try {
    const part = await get(`/api/history?${asked}`);
    kept.calls = more ? [...kept.calls, ...part.calls] : part.calls;
    kept.before = part.before;
    kept.fault = "";
  } catch (error) {
    kept.calls ??= [];
    kept.fault = error.status === 404 ? t("history.not_kept") : error.message;
  }
  now.render();
}

async function open(now, id) {
  kept.one = { id, call: null, fault: "" };
  kept.at = 0;
  try {
    kept.one.call = await get(`/api/history/${encodeURIComponent(id)}`);
  } catch (error) {
    kept.one.fault = error.message;
  }
  now.render();
}

// The turn that is heard at a moment of the recording, which begins with the answer.
function turnAt(turns, seconds) {
  return turns.findLastIndex((turn) => turn.heard_at_ms <= seconds * 1000);
}

function player(now, call) {
  if (!call.has_recording) return h("p", { class: "quiet" }, t("history.no_recording"));
  return h("audio", { "data-key": `audio-${call.id}`, "data-own": true, controls: true, preload: "metadata", src: `/api/history/${call.id}/recording`,
    "aria-label": t("history.recording"), ontimeupdate: (event) => {
      const at = turnAt(call.turns, event.target.currentTime);
      if (at !== kept.at) {
        kept.at = at;
        now.render();
      }
    } });
}

function words(call) {
  const seek = (turn) => () => {
    const audio = document.querySelector("audio");
    if (audio) audio.currentTime = turn.heard_at_ms / 1000;
  };
  return h("ol", { class: "talk", tabindex: "0", "aria-label": t("call.talk") }, call.turns.map((turn, index) =>
    h("li", { "data-key": index, class: index === kept.at && call.has_recording ? "turn is-heard" : "turn", "aria-current": index === kept.at && call.has_recording ? "true" : null },
      call.has_recording && h("button", { type: "button", class: "time", onclick: seek(turn) }, length(turn.heard_at_ms)),
      turn.caller !== "" && h("p", { class: "said-caller" }, h("b", null, t("speaking.caller_name")), turn.caller ?? t("call.hidden")),
      turn.reply !== "" && h("p", { class: "said-us" }, h("b", null, t("speaking.us_name")), turn.reply ?? t("call.hidden")))));
}

function whole(now, id) {
  if (String(kept.one?.id) !== id) open(now, id);
  const { call, fault } = kept.one;
  return [
    h("p", null, h("a", { href: "#history" }, `← ${t("nav.history")}`)),
    h("h2", { tabindex: "-1" }, call ? peer(call.peer) : t("call.title")),
    fault && h("p", { class: "warning", role: "alert" }, fault),
    call && [
      h("p", { class: "line" }, h("span", null, day(call.started_at_ms)), h("span", { class: "figure" }, lasted(call)), h("span", null, ending(call))),
      attended(call.figures.attended, call.figures.attended_left_out),
      player(now, call),
      words(call),
      h("h3", null, t("waterfall.title")),
      waterfall(call.turns),
    ],
  ];
}

export function history(now, id) {
  if (id) return whole(now, id);
  if (kept.calls === null && kept.fault === "") {
    kept.calls = [];
    load(now);
  }
  const search = (event) => {
    event.preventDefault();
    kept.query = event.target.elements.query.value.trim();
    load(now);
  };
  return [
    h("h2", { tabindex: "-1" }, t("history.title")),
    h("form", { class: "inline", role: "search", onsubmit: search },
      h("label", null, t("history.search"), h("input", { name: "query", type: "search", maxlength: 100 })), h("button", null, t("history.find"))),
    kept.fault && h("p", { class: "warning", role: "alert" }, kept.fault),
    kept.calls.length === 0
      ? h("p", { class: "quiet" }, t("history.none"))
      : callsTable(t("history.title"), kept.calls, (call) => `#history/${call.id}`, day),
    kept.calls.length > 0 && h("p", null, h("a", { href: "/api/history/export?format=csv", download: "history.csv" }, t("history.export"))),
    kept.before !== null && h("button", { type: "button", onclick: () => load(now, true) }, t("history.more")),
  ];
}

export function forget() {
  Object.assign(kept, { query: "", calls: null, before: null, fault: "", one: null });
}
