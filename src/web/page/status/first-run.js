// The first minutes: a password, then account, voice, greeting, hours and people.

import { h } from "/page/dom.js";
import { t } from "/page/words.js";
import { ask, get } from "/page/api.js";
import { passwordForm } from "/page/access.js";
import { refusal } from "/page/labels.js";
import { restartNeeded } from "/page/settings.js";
import { begin, hear, outcome, player, voices } from "/page/trials.js";

const STEPS = ["password", "account", "voice", "desk", "people", "done"];
const kept = { step: 0, told: null, isLooking: false };
// What every box can speak with; what else the engine has follows.
const VOICES = ["slt", "espeak:en", "espeak:ru"];

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

// Whether it is saved; then the next step follows, but where more is to come.
async function save(now, changes, secrets = {}, stays = false) {
  try {
    const { version } = await settings();
    // First what the change needs to be sound.
    for (const [name, value] of Object.entries(secrets)) await ask("PUT", `/api/secrets/${name}`, { value });
    if (Object.keys(changes).length > 0) kept.told = await ask("PATCH", "/api/settings", { version, changes });
    if (stays) now.render();
    else to(now, kept.step + 1)();
    return true;
  } catch (error) {
    kept.told = null;
    now.say(refusal(error));
    return false;
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
  password: (now) => [h("p", null, t("first.password_text")), passwordForm(now, "owner", "code", (session) => {
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
    h("select", { id: "first-voice", name: "voice" }, VOICES.concat(voices(now.health?.engine).filter((name) => !VOICES.includes(name)))
      .map((name) => h("option", { value: name }, name))),
    h("div", { class: "buttons" }, h("button", { id: "hear", type: "button", onclick: (event) => {
      const { voice, language } = event.target.form.elements;
      hear(now, voice.value, language.value);
    } }, t("trial.hear"))), player()),
  desk: (now) => form((fields) => {
    const desk = Object.fromEntries(["firm", "greeting", "hours", "address"].map((name) => [name, fields[name].value]));
    saveDesk(now, Object.fromEntries(Object.entries(desk).filter(([, value]) => value.trim() !== "")));
  }, h("p", null, t("first.desk_text")),
  input("firm", t("first.firm"), { maxlength: 200 }),
  input("greeting", t("first.greeting"), { maxlength: 300, placeholder: t("first.greeting_example") }), input("hours", t("first.hours"), { maxlength: 200 }), input("address", t("first.address"), { maxlength: 200 })),
  people: (now) => form(async (fields) => {
    if (fields.name.value.trim() === "") return to(now, kept.step + 1)();
    await addPerson(now, fields, false);
  }, h("p", null, t("first.people_text")),
  rows("person").length > 0 && h("ul", null, rows("person").map((one) => h("li", { "data-key": one.name }, [one.name, one.address, one.hours].filter(Boolean).join(" · ")))),
  input("name", t("first.person")), input("address", t("first.person_address"), { placeholder: "+4930123456" }),
  input("hours", t("first.person_hours"), { placeholder: "Mon-Fri 08:00-18:00" }),
  h("button", { id: "another", type: "button", onclick: async (event) => {
    const fields = event.target.form.elements;
    if (!event.target.form.reportValidity() || fields.name.value.trim() === "" || !await addPerson(now, fields, true)) return;
    for (const name of ["name", "address", "hours"]) fields[name].value = "";
    fields.name.focus();
  } }, t("first.another"))),
  done: (now) => [h("p", null, t("first.done_text")),
    restartNeeded(now, kept.told?.needs_restart),
    now.health?.takes_calls && [h("button", { id: "try-call", type: "button", onclick: begin(now, "call") }, t("trial.call")), outcome(now, "call")],
    h("div", { class: "buttons" }, h("a", { class: "button", href: "#settings" }, t("first.look")), h("a", { class: "button", href: "/call" }, t("overview.try")))],
};

async function addPerson(now, fields, stays) {
  await settings();
  const one = { name: fields.name.value, address: fields.address.value, hours: fields.hours.value };
  return save(now, { person: [...rows("person").filter((known) => known.name !== one.name), one] }, {}, stays);
}

async function saveDesk(now, desk) {
  try {
    if (Object.keys(desk).length > 0) {
      kept.told = await ask("PUT", "/api/settings/desk", desk);
    }
    to(now, kept.step + 1)();
  } catch (error) {
    now.say(refusal(error));
  }
}

// What the wizard has not asked for yet: whether a restart is needed.
async function lookAgain(now) {
  if (kept.isLooking) return;
  kept.isLooking = true;
  kept.told = await get("/api/settings").catch(() => null);
  kept.isLooking = false;
  if (kept.told !== null) now.render();
}

export function firstRun(now) {
  // A box that was set up is looked at from the line on.
  if (now.session.is_known && now.session.has_password && kept.step === 0) kept.step = 1;
  if (STEPS[kept.step] === "done" && kept.told === null) lookAgain(now);
  const name = STEPS[kept.step];
  return [
    h("h2", { tabindex: "-1" }, t(`first.${name}`)),
    h("ol", { class: "steps", "aria-label": t("first.steps") }, STEPS.map((one, index) =>
      h("li", { "aria-current": index === kept.step ? "step" : null, class: index < kept.step ? "is-done" : "" }, t(`first.${one}`)))),
    h("section", { class: "alone" }, BODIES[name](now),
      kept.step > 0 && name !== "done" && h("button", { id: "skip", type: "button", onclick: to(now, kept.step + 1) }, t("first.skip"))),
  ];
}
