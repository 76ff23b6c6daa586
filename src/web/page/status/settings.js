// The configuration file, key by key: what each is good for, what it is, and back again.

import { h } from "/page/dom.js";
import { t } from "/page/words.js";
import { ask, get } from "/page/api.js";
import { field, read } from "/page/fields.js";
import { faultText, label, refusal, sectionLabel } from "/page/labels.js";
import { trials } from "/page/trials.js";

const kept = { told: null, changes: new Map(), faults: new Map(), note: "", fault: "", filter: "" };
// What people change first.
const FIRST = ["accounts", "person", "speech", "converse", "calls", "inbound", "dial", "language"];

async function load(now) {
  try {
    kept.told = await get("/api/settings");
  } catch (error) {
    kept.fault = error.message;
  }
  now.render();
}

async function change(now, method, path, body, note) {
  try {
    kept.told = await ask(method, path, body);
    kept.changes.clear();
    kept.faults.clear();
    kept.fault = "";
    kept.note = note;
  } catch (error) {
    kept.note = "";
    kept.fault = refusal(error);
    kept.faults = new Map(error.faults?.map((one) => [one.key, faultText(one)]) ?? []);
    if (error.status === 412) await load(now);
  }
  now.render();
}

const save = (now) => (event) => {
  event.preventDefault();
  const changes = Object.fromEntries(kept.changes);
  change(now, "PATCH", "/api/settings", { version: kept.told.version, changes }, t("settings.saved"));
};

function key(now, section, one) {
  const name = `${section.name}.${one.key}`;
  const value = kept.changes.has(name) ? kept.changes.get(name) : one.value;
  return field(name, label(name), one.doc, one.default, value, kept.faults.get(name), (event) => {
    kept.changes.set(name, read(event.target, one.default));
    now.render();
  });
}

function table(now, section, rows, index) {
  const name = (one) => `${section.name}[${index}].${one.key}`;
  const set = (one) => (event) => {
    const changed = rows.map((row, at) => (at === index ? { ...row, [one.key]: read(event.target, one.default) } : row));
    kept.changes.set(section.name, changed);
    now.render();
  };
  const row = rows[index];
  const fault = (one) => kept.faults.get(`${section.name}.${row.name ?? row.code}.${one.key}`) ?? kept.faults.get(name(one));
  return h("fieldset", { "data-key": `${section.name}-${index}` },
    h("legend", null, row.name || row.code || t("settings.new")),
    section.keys.map((one) => field(name(one), label(name(one)), one.doc, one.default, row[one.key] ?? one.default, fault(one), set(one))),
    h("button", { type: "button", class: "danger", onclick: () => {
      kept.changes.set(section.name, rows.filter((_, at) => at !== index));
      now.render();
    } }, t("settings.remove")));
}

function tables(now, section) {
  const rows = kept.changes.get(section.name) ?? section.rows;
  const add = () => {
    kept.changes.set(section.name, [...rows, Object.fromEntries([["name" in section.blank ? "name" : "code", ""]])]);
    now.render();
  };
  return [rows.map((_, index) => table(now, section, rows, index)), h("button", { type: "button", onclick: add }, t("settings.add"))];
}

function fits(section) {
  const wanted = kept.filter.toLowerCase();
  if (wanted === "") return true;
  const texts = [section.name, sectionLabel(section.name), section.doc, ...section.keys.flatMap((one) => [one.key, label(`${section.name}.${one.key}`), one.doc])];
  return texts.some((text) => text.toLowerCase().includes(wanted));
}

function sectionOf(now, section) {
  const isFaulty = [...kept.faults.keys()].some((name) => name.startsWith(section.name));
  return h("details", { "data-key": section.name, open: isFaulty || kept.filter !== "" },
    h("summary", null, h("h3", null, sectionLabel(section.name)), sectionLabel(section.name) === section.name ? null : h("code", { class: "quiet" }, ` [${section.name}]`)),
    section.doc && h("p", { class: "quiet doc", lang: "en" }, section.doc),
    section.rows ? tables(now, section) : section.keys.map((one) => key(now, section, one)));
}

function secrets(now) {
  const put = (one) => async (event) => {
    event.preventDefault();
    const input = event.target.elements.value;
    try {
      const name = one?.name ?? event.target.elements.name.value.trim();
      await ask("PUT", `/api/secrets/${encodeURIComponent(name)}`, { value: input.value });
      input.value = "";
      await load(now);
      now.say(t("settings.secret_saved"));
    } catch (error) {
      now.say(error.message);
    }
  };
  return h("details", { "data-key": "secrets" },
    h("summary", null, h("h3", null, t("settings.secrets"))),
    h("p", { class: "quiet" }, t("settings.secrets_text")),
    kept.told.secrets.map((one) => h("form", { "data-key": one.name, class: "inline", onsubmit: put(one) },
      h("label", null, `${one.name} (${t(`secret.${one.from}`)})`, h("input", { name: "value", type: "password", autocomplete: "new-password", required: true })),
      h("button", null, t("settings.save")))),
    // What a new section wants must be there before it.
    h("form", { "data-key": "another", class: "inline", onsubmit: put(null) },
      h("label", null, t("settings.secret_other"),
        h("input", { name: "name", required: true, autocomplete: "off" }),
        h("input", { name: "value", type: "password", autocomplete: "new-password", required: true })),
      h("button", null, t("settings.save"))));
}

function tests(now) {
  const dial = async (event) => {
    event.preventDefault();
    try {
      const placed = await ask("POST", "/api/calls/dial", { phone_number: event.target.elements.number.value });
      location.hash = `#call/${placed.id}`;
    } catch (error) {
      now.say(error.message);
    }
  };
  return h("section", null,
    h("h3", null, t("settings.tests")),
    h("div", { class: "buttons" },
      h("a", { class: "button", href: "/call" }, t("settings.test_voice"))),
    trials(now),
    h("form", { class: "inline", onsubmit: dial },
      h("label", null, t("settings.test_number"), h("input", { name: "number", type: "tel", required: true, maxlength: 64 })),
      h("button", null, t("settings.test_call"))));
}

// Calls that are up are told goodbye first.
export async function restart(now) {
  try {
    await ask("POST", "/api/restart");
    now.say(t("settings.restarting"));
  } catch (error) {
    now.say(error.message);
  }
}

export function restartNeeded(now, needs) {
  const calls = now.health?.live_calls ?? 0;
  return needs && h("div", { class: "warning", id: "restart-needed" }, h("p", null, t("settings.needs_restart")),
    calls > 0 && h("p", null, t("settings.calls_up", { count: calls })),
    h("button", { id: "restart", type: "button", onclick: () => restart(now) }, t("settings.restart")));
}

export function settings(now) {
  if (!now.session.scopes.includes("settings")) return [h("h2", { tabindex: "-1" }, t("settings.title")), h("p", null, t("settings.not_yours"))];
  if (kept.told === null) {
    if (kept.fault === "") load(now);
    return [h("h2", { tabindex: "-1" }, t("settings.title")), h("p", { class: kept.fault ? "warning" : "quiet" }, kept.fault || t("answering.asking"))];
  }
  const rank = ({ name }) => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length);
  const sections = kept.told.sections.filter(fits).toSorted((one, other) => rank(one) - rank(other));
  return [
    h("h2", { tabindex: "-1" }, t("settings.title")),
    h("p", { class: "quiet" }, kept.told.file ?? t("settings.no_file")),
    restartNeeded(now, kept.told.needs_restart),
    tests(now),
    h("form", { class: "inline", role: "search", onsubmit: (event) => event.preventDefault() },
      h("label", null, t("settings.filter"), h("input", { type: "search", oninput: (event) => {
        kept.filter = event.target.value;
        now.render();
      } }))),
    h("form", { id: "settings", novalidate: true, onsubmit: save(now) },
      sections.map((section) => sectionOf(now, section)),
      h("div", { class: "stays" },
        h("p", { id: "settings-told", role: "status" }, kept.note),
        kept.fault && h("p", { class: "bad", role: "alert" }, kept.fault),
        h("button", { id: "save", disabled: kept.changes.size === 0 }, t("settings.save_count", { count: kept.changes.size })),
        h("button", { type: "button", disabled: kept.changes.size === 0, onclick: () => {
          kept.changes.clear();
          kept.faults.clear();
          kept.fault = "";
          now.render();
        } }, t("settings.discard")),
        h("button", { id: "undo", type: "button", disabled: !kept.told.can_undo, onclick: () =>
          change(now, "POST", "/api/settings/undo", { version: kept.told.version }, t("settings.undone")) }, t("settings.undo")))),
    secrets(now),
  ];
}

export function forget() {
  kept.told = null;
  kept.fault = "";
  kept.note = "";
}
