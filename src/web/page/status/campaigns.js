// Campaigns: many numbers that are called one after the other, how far each is, and a list to begin one with.

import { h } from "/page/dom.js";
import { t } from "/page/words.js";
import { bytes, get, ask } from "/page/api.js";
import { day, number } from "/page/format.js";

const STATES = ["waiting", "calling", "reached", "machine", "busy", "no-answer", "refused", "failed", "withdrawn"];
const WISHES = { running: ["pause", "cancel"], paused: ["resume", "cancel"] };
// A campaign that runs is looked at this often.
const LOOK_MS = 3000;
const kept = { campaigns: null, before: null, fault: "", timer: null };

async function load(now, more = false) {
  try {
    const part = await get(more && kept.before !== null ? `/api/campaigns?before=${kept.before}` : "/api/campaigns");
    kept.campaigns = more ? [...kept.campaigns, ...part.campaigns] : part.campaigns;
    kept.before = part.before;
    kept.fault = "";
  } catch (error) {
    kept.campaigns ??= [];
    kept.fault = error.message;
  }
  clearTimeout(kept.timer);
  const goesOn = kept.campaigns.some((one) => one.state === "running") && location.hash === "#campaigns";
  kept.timer = goesOn ? setTimeout(() => load(now), LOOK_MS) : null;
  now.render();
}

function wish(now, one, name) {
  return async () => {
    try {
      await ask("POST", `/api/campaigns/${one.id}/${name}`);
      await load(now);
    } catch (error) {
      now.say(error.message);
    }
  };
}

function begin(now) {
  return async (event) => {
    event.preventDefault();
    const form = event.target;
    const { name, list } = form.elements;
    try {
      await bytes("POST", `/api/campaigns?${new URLSearchParams({ name: name.value.trim() })}`, list.files[0], "text/csv");
      form.reset();
      await load(now);
    } catch (error) {
      now.say(error.message);
    }
  };
}

function campaign(now, one) {
  const left = (one.counts.waiting ?? 0) + (one.counts.calling ?? 0);
  const done = one.number_count - left;
  const counts = STATES.filter((state) => one.counts[state]).map((state) => `${t(`campaigns.number.${state}`)}: ${number(one.counts[state])}`);
  return h("li", { "data-key": one.id, class: "card" },
    h("strong", null, one.name),
    h("span", null, t(`campaigns.state.${one.state}`)),
    h("progress", { max: Math.max(1, one.number_count), value: done, "aria-label": t("campaigns.progress") }),
    h("p", null, counts.join(" · ")),
    h("span", { class: "quiet" }, day(one.created_at_ms)),
    now.session.scopes.includes("dial") && (WISHES[one.state] ?? []).map((name) =>
      h("button", { "data-key": name, type: "button", onclick: wish(now, one, name) }, t(`campaigns.${name}`))),
    h("a", { href: `/api/campaigns/${one.id}/export`, download: "campaign.csv" }, t("campaigns.export")));
}

export function campaigns(now) {
  if (kept.campaigns === null) {
    kept.campaigns = [];
    load(now);
  }
  return [
    h("h2", { tabindex: "-1" }, t("campaigns.title")),
    kept.fault && h("p", { class: "warning", role: "alert" }, kept.fault),
    now.session.scopes.includes("dial") && h("form", { class: "inline", onsubmit: begin(now) },
      h("label", null, t("campaigns.name"), h("input", { name: "name", required: true, maxlength: 64 })),
      h("label", null, t("campaigns.list"), h("input", { name: "list", type: "file", accept: ".csv,text/csv", required: true, "data-own": true })),
      h("button", null, t("campaigns.begin"))),
    h("p", { class: "quiet" }, t("campaigns.about")),
    kept.campaigns.length === 0
      ? h("p", { class: "quiet" }, t("campaigns.none"))
      : h("ul", { class: "cards" }, kept.campaigns.map((one) => campaign(now, one))),
    kept.before !== null && h("button", { type: "button", onclick: () => load(now, true) }, t("campaigns.more")),
  ];
}

export function forget() {
  clearTimeout(kept.timer);
  Object.assign(kept, { campaigns: null, before: null, fault: "", timer: null });
}
