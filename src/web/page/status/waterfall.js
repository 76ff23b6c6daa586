// Where the time between the caller's last sound and ours went, turn by turn.

import { h, svg } from "/page/dom.js";
import { t } from "/page/words.js";
import { number } from "/page/format.js";

const PARTS = ["jitter", "endpoint", "decode", "think", "voice", "pacing"];
// The figure that a turn is to stay below, in milliseconds.
const GOAL = 400;
const WIDE = 600;
const HIGH = 18;

export function parts(turn) {
  return PARTS.map((name) => [name, turn.latency?.[`${name}_ms`] ?? 0]).filter(([, ms]) => ms > 0);
}

function label(turn) {
  return parts(turn).map(([name, ms]) => `${t(`part.${name}`)} ${number(ms)}`).join(", ");
}

function bar(turn, longest) {
  const scale = WIDE / longest;
  let at = 0;
  const boxes = parts(turn).map(([name, ms]) => {
    const box = svg("rect", { class: `part-${name}`, x: at * scale, y: 0, width: Math.max(1, ms * scale), height: HIGH },
      svg("title", null, `${t(`part.${name}`)}: ${number(ms)} ms`));
    at += ms;
    return box;
  });
  const goal = svg("line", { class: "goal", x1: GOAL * scale, x2: GOAL * scale, y1: 0, y2: HIGH });
  return svg("svg", { class: "waterfall", viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", role: "img",
    "aria-label": label(turn) }, boxes, goal);
}

export function waterfall(turns) {
  const timed = turns.map((turn, index) => ({ turn, index })).filter(({ turn }) => turn.gap_ms !== null);
  if (timed.length === 0) return h("p", { class: "quiet" }, t("waterfall.none"));
  const longest = Math.max(GOAL * 1.2, ...timed.map(({ turn }) => turn.gap_ms));
  const rows = timed.map(({ turn, index }) => h("tr", { "data-key": `gap-${index}` },
    h("th", { scope: "row" }, number(index + 1)),
    h("td", { class: turn.gap_ms > GOAL ? "figure slow" : "figure" }, `${number(turn.gap_ms)} ms`),
    h("td", { class: "wide" }, bar(turn, longest))));
  const legend = h("ul", { class: "legend" },
    PARTS.map((name) => h("li", null, h("span", { class: `swatch part-${name}` }), t(`part.${name}`))));
  return h("div", null, legend, h("div", { class: "scrolls", tabindex: "0", role: "region", "aria-label": t("waterfall.title") }, h("table", { class: "gaps" },
    h("caption", null, t("waterfall.caption", { goal: number(GOAL) })),
    h("thead", null, h("tr", null, h("th", { scope: "col" }, t("waterfall.turn")), h("th", { scope: "col" }, t("waterfall.gap")),
      h("th", { scope: "col" }, t("waterfall.where")))),
    h("tbody", null, rows))));
}
