// The box as a whole: a backup in one file, and back.

import { h } from "/page/dom.js";
import { t } from "/page/words.js";
import { ask, bytes, get } from "/page/api.js";
import { number } from "/page/format.js";

const KIND = "application/octet-stream";
const kept = { sizes: null, isAsked: false };

async function load(now) {
  kept.isAsked = true;
  kept.sizes = await get("/api/backup").catch(() => null);
  now.render();
}

function size(bytes) {
  return bytes < 1e6 ? `${number(bytes / 1e3)} kB` : bytes < 1e9 ? `${number(bytes / 1e6, 1)} MB` : `${number(bytes / 1e9, 1)} GB`;
}

function backup(now) {
  return async (event) => {
    event.preventDefault();
    const { passphrase: input, history, recordings } = event.target.elements;
    const wanted = { passphrase: input.value, history: history.checked, recordings: recordings.checked };
    try {
      now.say(t("box.working"));
      const file = await bytes("POST", "/api/backup", JSON.stringify(wanted), "application/json");
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
      now.say(t("box.working"));
      await bytes("POST", "/api/restore", file.files[0], KIND, { "X-Passphrase": encodeURIComponent(passphrase.value) });
      passphrase.value = "";
      now.say(t("box.restored"));
    } catch (error) {
      now.say(error.message);
    }
  };
}

async function undo(now) {
  try {
    await ask("POST", "/api/restore/undo");
    now.say(t("box.undone"));
  } catch (error) {
    now.say(error.message);
  }
}

export function box(now) {
  if (!now.session.scopes.includes("settings")) return [h("h2", { tabindex: "-1" }, t("box.title")), h("p", null, t("settings.not_yours"))];
  if (!kept.isAsked) load(now);
  const { sizes } = kept;
  const choice = (name, text, isChecked) => h("label", { class: "choice" }, h("input", { name, type: "checkbox", "data-own": true, checked: isChecked }), text);
  const passphrase = (id, kind) => [h("label", { for: id }, t("box.passphrase")),
    h("input", { id, name: "passphrase", type: "password", minlength: 8, maxlength: 128, required: true, autocomplete: kind })];
  return [
    h("h2", { tabindex: "-1" }, t("box.title")),
    h("p", { class: "quiet" }, t("box.text")),
    h("h3", null, t("box.backup")),
    h("form", { onsubmit: backup(now) },
      choice("history", t("box.with_history", { size: sizes ? size(sizes.history_bytes) : "–" }), true),
      choice("recordings", t("box.with_recordings", { size: sizes ? size(sizes.recordings_bytes) : "–" }), false),
      passphrase("backup-passphrase", "new-password"), h("button", null, t("box.make"))),
    h("h3", null, t("box.restore")),
    h("form", { onsubmit: restore(now) },
      h("label", { for: "restore-file" }, t("box.file")), h("input", { id: "restore-file", name: "file", type: "file", required: true }),
      passphrase("restore-passphrase", "off"), h("button", { class: "danger" }, t("box.put_back"))),
    sizes?.can_undo && h("p", null, h("button", { id: "undo-restore", type: "button", class: "danger", onclick: () => undo(now) }, t("box.undo"))),
  ];
}

export function forget() {
  Object.assign(kept, { sizes: null, isAsked: false });
}
