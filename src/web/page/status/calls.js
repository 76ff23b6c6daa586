// Calls as a table: those of now, and those of before.

import { h } from "/page/dom.js";
import { t } from "/page/words.js";
import { ending, lasted, number, peer } from "/page/format.js";

const COLUMNS = ["began", "with", "length", "turns", "ending"];

// `place` gives the part of the page that shows a call whole, `began` its begin in words.
export function callsTable(label, calls, place, began) {
  const row = (call) => h("tr", { "data-key": call.id },
    h("td", null, h("a", { href: place(call) }, began(call.started_at_ms))),
    h("td", null, `${call.direction === "inbound" ? "←" : "→"} ${peer(call.peer)}`),
    h("td", { class: "figure" }, lasted(call)),
    h("td", { class: "figure" }, number(call.turn_count)),
    h("td", null, ending(call)));
  return h("div", { class: "scrolls", tabindex: "0", role: "region", "aria-label": label }, h("table", null,
    h("thead", null, h("tr", null, COLUMNS.map((name) => h("th", { scope: "col" }, t(`table.${name}`))))),
    h("tbody", null, calls.map(row))));
}
