// The first minutes: a password, then account, voice, greeting, hours and people.

import { h } from "/page/dom.js";
import { t } from "/page/words.js";
import { ask, get } from "/page/api.js";
import { passwordForm } from "/page/access.js";

const STEPS = ["password", "account", "voice", "desk", "people", "done"];
const kept = { step: 0, told: null };

const to = (now, step) => () => {
  kept.step = step;
  now.say("");
  now.render();
  document.querySelector("main h2")?.focus();
};

async function settings() {
  kept.told ??= await get("/api/settings");
  return kept.told;
}

async function save(now, changes, secrets = {}) {
  try {
    const { version } = await settings();
    // First what the change needs to be sound.
    for (const [name, value] of Object.entries(secrets)) await ask("PUT", `/api/secrets/${name}`, { value });
    if (Object.keys(changes).length > 0) kept.told = await ask("PATCH", "/api/settings", { version, changes });
    to(now, kept.step + 1)();
  } catch (error) {
    const faults = error.faults?.map((one) => `${one.key}: ${one.allowed}`) ?? [];
    kept.told = null;
    now.say([error.message, ...faults].join(" · "));
  }
}

const form = (onsubmit, ...fields) => h("form", { "data-key": `step-${kept.step}`, onsubmit: (event) => {
  event.preventDefault();
  onsubmit(event.target.elements);
} }, fields, h("button", null, t("first.next")));

function input(name, label, more = {}) {
  return [h("label", { for: `first-${name}` }, label), h("input", { id: `first-${name}`, name, autocomplete: "off", ...more })];
}

function rows(name) {
  return kept.told?.sections.find((section) => section.name === name)?.rows ?? [];
}

const BODIES = {
  password: (now) => now.session.has_password
    ? form(() => to(now, 1)(), h("p", null, t("first.has_password")))
    : [h("p", null, t("first.password_text")), passwordForm(now, "owner", false, (session) => {
      now.enter(session, "first-run");
      to(now, 1)();
    })],
  account: (now) => form(async (fields) => {
    await settings();
    const one = { name: fields.name.value, server: fields.server.value, user: fields.user.value };
    const others = rows("accounts").filter((known) => known.name !== one.name);
    save(now, { accounts: [...others, one] }, fields.password.value ? { [`account_${one.name}`]: fields.password.value } : {});
  }, h("p", null, t("first.account_text")),
  input("name", t("first.account_name"), { value: "office", pattern: "[a-z0-9_]+", required: true }),
  input("server", t("first.server"), { placeholder: "sip.example.net", required: true }),
  input("user", t("first.user"), { required: true }),
  input("password", t("access.password"), { type: "password", autocomplete: "new-password" })),
  voice: (now) => form((fields) => save(now, { "speech.voice": fields.voice.value, "speech.language": fields.language.value }),
    h("p", null, t("first.voice_text")),
    h("label", { for: "first-language" }, t("first.language")),
    h("select", { id: "first-language", name: "language" }, h("option", { value: "en" }, t("language.en")), h("option", { value: "ru" }, t("language.ru"))),
    h("label", { for: "first-voice" }, t("machine.voice")),
    h("select", { id: "first-voice", name: "voice" }, h("option", { value: "slt" }, "slt (English)"), h("option", { value: "espeak:en" }, "espeak (English)"),
      h("option", { value: "espeak:ru" }, "espeak (Русский)"))),
  desk: (now) => form((fields) => {
    const desk = { firm: fields.firm.value, hours: fields.hours.value, address: fields.address.value };
    saveDesk(now, Object.fromEntries(Object.entries(desk).filter(([, value]) => value.trim() !== "")));
  }, h("p", null, t("first.desk_text")),
  input("firm", t("first.firm"), { maxlength: 200 }), input("hours", t("first.hours"), { maxlength: 200 }), input("address", t("first.address"), { maxlength: 200 })),
  people: (now) => form(async (fields) => {
    await settings();
    if (fields.name.value.trim() === "") return to(now, kept.step + 1)();
    const one = { name: fields.name.value, address: fields.address.value, hours: fields.hours.value };
    save(now, { person: [...rows("person"), one] });
  }, h("p", null, t("first.people_text")),
  input("name", t("first.person")), input("address", t("first.person_address"), { placeholder: "+4930123456" }),
  input("hours", t("first.person_hours"), { placeholder: "Mon-Fri 08:00-18:00" })),
  done: () => [h("p", null, t("first.done_text")),
    h("div", { class: "buttons" }, h("a", { class: "button", href: "#settings" }, t("first.look")), h("a", { class: "button", href: "/call" }, t("overview.try")))],
};

async function saveDesk(now, desk) {
  try {
    if (Object.keys(desk).length > 0) {
      await ask("PUT", "/api/settings/desk", desk);
      kept.told = null;
    }
    to(now, kept.step + 1)();
  } catch (error) {
    now.say(error.message);
  }
}

export function firstRun(now) {
  const name = STEPS[kept.step];
  return [
    h("h2", { tabindex: "-1" }, t(`first.${name}`)),
    h("ol", { class: "steps", "aria-label": t("first.steps") }, STEPS.map((one, index) =>
      h("li", { "aria-current": index === kept.step ? "step" : null, class: index < kept.step ? "is-done" : "" }, t(`first.${one}`)))),
    h("section", { class: "alone" }, BODIES[name](now),
      kept.step > 0 && name !== "done" && h("button", { id: "skip", type: "button", onclick: to(now, kept.step + 1) }, t("first.skip"))),
  ];
}
