// A setting as something to fill in, by the type of its value, and its value back.

import { h } from "/page/dom.js";

const isTexts = (value) => Array.isArray(value) && value.every((one) => typeof one === "string");

function kindOf(value) {
  if (typeof value === "boolean") return "switch";
  if (typeof value === "number") return "number";
  if (typeof value === "string") return "text";
  return isTexts(value) ? "texts" : "json";
}

function shown(value) {
  switch (kindOf(value)) {
    case "texts": return value.join("\n");
    case "json": return JSON.stringify(value);
    default: return String(value);
  }
}

// `model` is a value of its type: the default.
export function field(name, label, doc, model, value, fault, changed) {
  const id = `field-${name}`;
  const about = { id, name, "aria-describedby": `${id}-doc`, "aria-invalid": fault ? "true" : null, onchange: changed };
  const kind = kindOf(model);
  const input = kind === "switch" ? h("input", { ...about, type: "checkbox", checked: value })
    : kind === "number" ? h("input", { ...about, type: "number", step: "any", value: shown(value) })
      : kind === "texts" ? h("textarea", { ...about, rows: Math.max(2, value.length), "data-own": true }, shown(value))
        : h("input", { ...about, type: "text", value: shown(value), autocomplete: "off" });
  return h("div", { "data-key": id, class: `field field-${kind}` },
    h("label", { for: id }, label, label === name.split(".").at(-1) ? null : h("code", { class: "quiet", "aria-hidden": "true" }, ` ${name.split(".").at(-1)}`)), input,
    fault && h("p", { class: "bad", role: "alert" }, fault),
    h("p", { id: `${id}-doc`, class: "quiet doc", lang: "en" }, doc));
}

export function read(input, model) {
  switch (kindOf(model)) {
    case "switch": return input.checked;
    // What is no number is sent as it is, and refused with the range.
    case "number": return input.value.trim() !== "" && Number.isFinite(Number(input.value)) ? Number(input.value) : input.value;
    case "texts": return input.value.split("\n").map((line) => line.trim()).filter((line) => line !== "");
    case "json":
      try {
        return JSON.parse(input.value);
      } catch {
        return input.value;
      }
    default: return input.value;
  }
}
