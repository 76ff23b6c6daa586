// A line over time, of figures that this page has seen since it was opened.

import { h, svg } from "/page/dom.js";
import { number } from "/page/format.js";

const WIDE = 300;
const HIGH = 60;
const KEPT = 300;

export class Series {
  #values = [];

  add(value) {
    this.#values.push(value);
    if (this.#values.length > KEPT) this.#values.shift();
  }

  get values() {
    return this.#values;
  }
}

// `most` is the top of the scale, at least.
export function graph(name, series, unit, most, digits = 0) {
  const known = series.values.filter((value) => value !== null);
  const last = known.at(-1);
  const text = last === undefined ? "–" : `${number(last, digits)} ${unit}`;
  const top = Math.max(most, ...known);
  const points = series.values.map((value, index) => {
    const x = WIDE - (series.values.length - 1 - index) * (WIDE / KEPT);
    return `${x.toFixed(1)},${(HIGH - ((value ?? 0) / top) * (HIGH - 2) - 1).toFixed(1)}`;
  });
  return h("figure", { class: "graph" },
    h("figcaption", null, name, h("strong", null, text)),
    svg("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", role: "img", "aria-label": `${name}: ${text}` },
      svg("polyline", { points: points.join(" ") })));
}
