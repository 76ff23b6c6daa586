// Signing in and out, and passwords.

import { h } from "/page/dom.js";
import { t } from "/page/words.js";
import { ask, known } from "/page/api.js";

let fault = "";

export function signIn(now) {
  const enter = async (event) => {
    event.preventDefault();
    const { person, password } = event.target.elements;
    try {
      now.enter(known(await ask("POST", "/api/session", { person: person.value, password: password.value })));
      fault = "";
    } catch (error) {
      fault = error.status === 429 ? t("access.too_often") : error.status === 401 ? t("access.wrong") : error.message;
      password.value = "";
      password.focus();
      now.render();
    }
  };
  return [h("section", { class: "alone" },
    h("h2", { tabindex: "-1" }, t("access.sign_in")),
    h("form", { onsubmit: enter },
      h("label", { for: "person" }, t("access.who")),
      h("select", { id: "person", name: "person", autocomplete: "username" },
        h("option", { value: "owner" }, t("access.owner")), h("option", { value: "reader" }, t("access.reader"))),
      h("label", { for: "password" }, t("access.password")),
      h("input", { id: "password", name: "password", type: "password", autocomplete: "current-password", required: true }),
      h("p", { class: "bad", role: "alert" }, fault),
      h("button", null, t("access.enter"))))];
}

// `proof`: "current", the owner's present password; "code", that of the box, for the first one; "" for a program's token.
export function passwordForm(now, person, proof, done) {
  const refused = (error) => error.status === 429 ? t("access.too_often")
    : error.status === 403 ? t(proof === "code" ? "access.wrong_code" : "access.wrong_current") : error.message;
  const set = async (event) => {
    event.preventDefault();
    const { password, again, current, code } = event.target.elements;
    if (password.value !== again.value) return now.say(t("access.differ"));
    try {
      const body = { password: password.value, ...(current ? { current: current.value } : {}) };
      const session = known(code ? await ask("POST", "/api/first-password", { ...body, code: code.value })
        : await ask("PUT", `/api/passwords/${person}`, body));
      event.target.reset();
      now.say(t("access.set"));
      done(session);
    } catch (error) {
      now.say(refused(error));
    }
  };
  const input = (name, label, kind) => [h("label", { for: `${person}-${name}` }, label),
    h("input", { id: `${person}-${name}`, name, type: "password", autocomplete: kind, required: true, minlength: name === "current" ? null : 8, maxlength: 128 })];
  return h("form", { "data-key": `password-${person}`, onsubmit: set },
    proof === "current" && input("current", t("access.current"), "current-password"),
    proof === "code" && [h("label", { for: "owner-code" }, t("access.code")),
      h("input", { id: "owner-code", name: "code", required: true, maxlength: 20, autocomplete: "off", autocapitalize: "characters", spellcheck: "false", "aria-describedby": "owner-code-text" }),
      h("p", { id: "owner-code-text", class: "quiet doc" }, t("access.code_text"))],
    input("password", t("access.new"), "new-password"),
    input("again", t("access.again"), "new-password"),
    h("button", null, t("access.set_password")));
}

export function access(now) {
  const { session } = now;
  const mine = session.scopes.includes("settings");
  return [
    h("h2", { tabindex: "-1" }, t("access.title")),
    session.person && h("p", null, t("access.signed_in", { person: t(`access.${session.person}`) })),
    session.person && h("button", { id: "sign-out", type: "button", onclick: () => now.leave() }, t("access.sign_out")),
    mine && [
      h("h3", null, t("access.owner")),
      h("p", { class: "quiet" }, t("access.owner_text")),
      passwordForm(now, "owner", session.has_password ? "current" : session.is_open ? "code" : "", now.enter),
      session.has_password && [
        h("h3", null, t("access.reader")),
        h("p", { class: "quiet" }, t("access.reader_text")),
        passwordForm(now, "reader", "current", now.enter),
        session.has_reader && h("button", { type: "button", class: "danger", onclick: async () => {
          now.enter(known(await ask("DELETE", "/api/passwords/reader")));
        } }, t("access.remove_reader"))],
    ],
  ];
}
