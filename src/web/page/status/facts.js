// A name with its figure, in a list of such.

import { h } from "/page/dom.js";

export function fact(name, value, kind = "", lang = null) {
  return h("div", { class: `fact ${kind}` }, h("dt", null, name), h("dd", { lang }, value));
}
