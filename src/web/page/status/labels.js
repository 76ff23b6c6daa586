// What settings are called, and what is wrong with them, in words.

import { named, t } from "/page/words.js";

// A key of a section, as in `calls.max`; of a section that there may be several of, one of its rows stands between, as in
// `person.Ann.hours` or `person[0].hours`.
export function label(name) {
  const [, section, key] = /^(\w+(?:\.tls|\.turn)?)(?:\[\d+\]|\..*)?\.(\w+)$/.exec(name) ?? [null, name, null];
  return key === null ? sectionLabel(section) : named(`key.${section}.${key}`, key);
}

export const sectionLabel = (name) => named(`section.${name}`, name);

// With the section, for where it does not stand above.
function whole(name) {
  const section = /^\w+/.exec(name)?.[0] ?? name;
  return section === name ? sectionLabel(name) : `${sectionLabel(section)}, ${label(name)}`;
}

export const faultText = (fault) => fault.wrong ?? `${t("settings.allowed")} ${fault.allowed}`;

// What was refused, in one text.
export function refusal(error) {
  if (error.faults === undefined || error.faults.length === 0) return error.message;
  return error.faults.map((fault) => `${whole(fault.key)}: ${faultText(fault)}`).join(" · ");
}
