// The box as a whole: a backup in one file, and back.

import { h } from "/page/dom.js";
import { t } from "/page/words.js";
import { bytes } from "/page/api.js";

const KIND = "application/octet-stream";

function backup(now) {
  return async (event) => {
    event.preventDefault();
    const input = event.target.elements.passphrase;
    try {
      const file = await bytes("POST", "/api/backup", JSON.stringify({ passphrase: input.value }), "application/json");
      const link = h("a", { href: URL.createObjectURL(file), download: `attendant-${new Date().toISOString().slice(0, 10)}.backup` });
      link.click();
      URL.revokeObjectURL(link.href);
      input.value = "";
      now.say(t("box.saved"));
    } catch (error) {
      now.say(error.message);
    }
  };
}

function restore(now) {
  return async (event) => {
    event.preventDefault();
    const { file, passphrase } = event.target.elements;
    try {
      await bytes("POST", "/api/restore", file.files[0], KIND, { "X-Passphrase": encodeURIComponent(passphrase.value) });
      passphrase.value = "";
      now.say(t("box.restored"));
    } catch (error) {
      now.say(error.message);
    }
  };
}

export function box(now) {
  if (!now.session.scopes.includes("settings")) return [h("h2", { tabindex: "-1" }, t("box.title")), h("p", null, t("settings.not_yours"))];
  const passphrase = (id, kind) => [h("label", { for: id }, t("box.passphrase")),
    h("input", { id, name: "passphrase", type: "password", minlength: 8, maxlength: 128, required: true, autocomplete: kind })];
  return [
    h("h2", { tabindex: "-1" }, t("box.title")),
    h("p", { class: "quiet" }, t("box.text")),
    h("h3", null, t("box.backup")),
    h("form", { onsubmit: backup(now) }, passphrase("backup-passphrase", "new-password"), h("button", null, t("box.make"))),
    h("h3", null, t("box.restore")),
    h("form", { onsubmit: restore(now) },
      h("label", { for: "restore-file" }, t("box.file")), h("input", { id: "restore-file", name: "file", type: "file", required: true }),
      passphrase("restore-passphrase", "off"), h("button", { class: "danger" }, t("box.put_back"))),
  ];
}
