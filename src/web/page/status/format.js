// Times, lengths and numbers as people read them.

import { language, named, t } from "/page/words.js";

export const clock = (ms) => new Date(ms).toLocaleTimeString(language(), { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export const day = (ms) => new Date(ms).toLocaleString(language(), { dateStyle: "medium", timeStyle: "short" });

export const number = (value, digits = 0) =>
  value.toLocaleString(language(), { minimumFractionDigits: digits, maximumFractionDigits: digits });

export function length(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

export function lasted(call) {
  if (call.answered_at_ms === null) return "";
  return length((call.ended_at_ms ?? Date.now()) - call.answered_at_ms);
}

// A SIP address without what only machines need.
export function peer(text) {
  const found = /^sips?:([^@;>]+)@([^;>]+)/.exec(text);
  return found ? `${decodeURIComponent(found[1])}` : text;
}

export const state = (call) => named(`state.${call.state}`, call.state);

export function ending(call) {
  const cause = call.ending?.cause ?? call.cause;
  if (cause) return named(`cause.${cause}`, call.ending?.text ?? cause);
  // The program ended in the middle of it, so that nobody could say why.
  return call.state === "cut-off" ? state(call) : "";
}

// A mean opinion score in words: 4.0 is as good as a telephone gets, below 3.1 people complain (ITU-T G.107 Annex B).
export function quality(mos) {
  if (mos === null || mos === undefined) return { name: "none", text: t("quality.none") };
  const name = mos >= 4 ? "good" : mos >= 3.6 ? "fair" : mos >= 3.1 ? "poor" : "bad";
  return { name, text: t(`quality.${name}`) };
}
