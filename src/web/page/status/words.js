// The page's words in the language of whoever looks.

import { english } from "/page/words-en.js";
import { russian } from "/page/words-ru.js";

const TABLES = { en: english, ru: russian };

function first() {
  const kept = localStorage.getItem("language");
  if (kept in TABLES) return kept;
  const wanted = navigator.languages.map((name) => name.slice(0, 2)).find((name) => name in TABLES);
  return wanted ?? "en";
}

let chosen = first();

export const language = () => chosen;

export function choose(name) {
  chosen = name;
  localStorage.setItem("language", name);
  document.documentElement.lang = name;
}

// The words of a key, with values in place of {name}.
export function t(key, values = {}) {
  const text = TABLES[chosen][key] ?? english[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

// Like t, and what else is to be shown where there are no words.
export function named(key, otherwise) {
  return key in english ? t(key) : otherwise;
}
