// The machine: what hears and speaks, on what, and how punctual the sound is.

import { h } from "/page/dom.js";
import { t } from "/page/words.js";
import { fact } from "/page/facts.js";
import { number } from "/page/format.js";
import { graph } from "/page/graph.js";

function models(engine) {
  if (!engine) return h("p", { class: "quiet" }, t("machine.no_engine"));
  return h("dl", { class: "facts" },
    fact(t("machine.hears"), engine.model),
    fact(t("machine.device"), engine.device, "", "en"),
    engine.voices.map((voice) => fact(t("machine.voice"), `${voice.name}, ${voice.fault ?? voice.device}`, voice.fault ? "bad" : "", "en")),
    engine.turn_model && fact(t("machine.turn_model"), `${engine.turn_model.name}${engine.turn_model.fault ? `: ${engine.turn_model.fault}` : ""}`,
      engine.turn_model.fault ? "bad" : "", "en"));
}

// What the box tells of itself: name, unit, the top of the scale at least, and where it stands in /health.
export const GAUGES = [
  ["engine", "%", 100, (told) => 100 * told.engine_load],
  ["processor", "°C", 90, (told) => told.temperature_c],
  ["gpu_heat", "°C", 90, (told) => told.gpu?.temperature_c],
  ["gpu_load", "%", 100, (told) => (told.gpu?.load === undefined || told.gpu.load === null ? null : 100 * told.gpu.load)],
  ["gpu_power", "W", 100, (told) => told.gpu?.power_w],
  ["gpu_memory", "GB", 8, (told) => (told.gpu?.memory ? told.gpu.memory.free_bytes / 1e9 : null)],
];

export function machine(now) {
  const { health, series } = now;
  if (!health) return [h("h2", { tabindex: "-1" }, t("machine.title")), h("p", { class: "quiet" }, t("answering.asking"))];
  const { audio, knowledge } = health;
  const ms = (us) => (us === null ? `> ${number(audio.late_bounds_us.at(-1) / 1000, 1)} ms` : `≤ ${number(us / 1000, 2)} ms`);
  return [
    h("h2", { tabindex: "-1" }, t("machine.title")),
    h("h3", null, t("machine.models")),
    models(health.engine),
    h("h3", null, t("machine.graphs")),
    h("div", { class: "graphs" },
      graph(t("machine.calls"), series.calls, "", 5),
      graph(t("machine.gap"), series.gap, "ms", 400),
      graph(t("machine.late_ticks"), series.late, t("machine.per_second"), 5),
      GAUGES.filter(([name]) => series[name].values.some((value) => value !== null))
        .map(([name, unit, most]) => graph(t(`gauge.${name}`), series[name], unit, most))),
    h("h3", null, t("machine.audio")),
    h("dl", { class: "facts" },
      fact(t("machine.ticks"), number(audio.ticks)),
      fact(t("machine.late_half"), ms(audio.late_p50_us)),
      fact(t("machine.late_most"), ms(audio.late_p999_us)),
      fact(t("machine.dropped"), number(audio.dropped), audio.dropped > 0 ? "bad" : "")),
    knowledge && [h("h3", null, t("machine.knowledge")),
      h("p", null, t("machine.knowledge_text", { files: number(knowledge.files), passages: number(knowledge.passages) }))],
    h("p", { class: "quiet" }, `Attendant ${health.version}`),
  ];
}
