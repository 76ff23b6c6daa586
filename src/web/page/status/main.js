// The page: who looks, what is looked at, and what the box sends.

import { h, show } from "/page/dom.js";
import { choose, language, t } from "/page/words.js";
import { ask, session } from "/page/api.js";
import { Live } from "/page/live.js";
import { Series } from "/page/graph.js";
import { answer, overview } from "/page/overview.js";
import { call } from "/page/call.js";
import { lines } from "/page/lines.js";
import { GAUGES, machine } from "/page/machine.js";
import { forget as forgetHistory, history } from "/page/history.js";
import { campaigns, forget as forgetCampaigns } from "/page/campaigns.js";
import { forget as forgetMessages, messages } from "/page/messages.js";
import { forget as forgetSettings, settings } from "/page/settings.js";
import { updates } from "/page/updates.js";
import { firstRun } from "/page/first-run.js";
import { access, signIn } from "/page/access.js";
import { box, forget as forgetBox } from "/page/box.js";
import { kept, log } from "/page/log.js";
import { bar, follow } from "/page/listening.js";
import { length } from "/page/format.js";

const VIEWS = { overview, call, history, messages, campaigns, lines, machine, settings, log, access, box, updates, "first-run": firstRun };
const NAV = [["overview", "read"], ["history", "read"], ["messages", "words"], ["campaigns", "read"], ["lines", "read"], ["machine", "read"],
  ["settings", "settings"], ["log", "settings"], ["box", "settings"], ["updates", "settings"], ["access", null]];
const THEMES = ["auto", "light", "dark"];

const now = {
  session: null, health: null, calls: null, call: null, updates: null, trials: [], log: [], isLost: false, note: "",
  series: { calls: new Series(), gap: new Series(), late: new Series(), ...Object.fromEntries(GAUGES.map(([name]) => [name, new Series()])) },
  render, say, enter, leave,
};
const live = new Live(told);
let lateBefore = null;
let isWaiting = false;

function place() {
  const [view, id] = location.hash.slice(1).split("/");
  return { view: view in VIEWS ? view : "overview", id: id ? decodeURIComponent(id) : null };
}

function say(text) {
  now.note = text;
  render();
}

function enter(told, view) {
  now.session = told;
  if (view) location.hash = `#${view}`;
  watch();
  render();
}

async function leave() {
  await ask("DELETE", "/api/session");
  live.close();
  Object.assign(now, { health: null, calls: null, call: null, updates: null, trials: [], isLost: false, note: "" });
  [forgetHistory, forgetMessages, forgetCampaigns, forgetSettings, forgetBox].forEach((forget) => forget());
  now.session = await session();
  location.hash = "#";
  render();
}

function watch() {
  if (!now.session?.scopes.includes("read")) return;
  const { view, id } = place();
  const asked = view === "call" && id ? `?call=${encodeURIComponent(id)}` : view === "log" ? "?log=true" : "";
  live.watch(asked);
}

async function told(part, data) {
  if (part === "opened") now.log = [];
  else if (part === "lost") now.isLost = true;
  else if (part === "refused") return begin();
  else {
    now.isLost = false;
    now[part] = part === "calls" ? data.calls : part === "trials" ? data.trials : part === "log" ? kept(now.log, data) : data;
    if (part === "health") note(data);
    if (part === "calls") follow(now);
  }
  render();
}

// Figures for the graphs, once a second.
function note(health) {
  const late = health.audio.late_counts.slice(5).reduce((sum, count) => sum + count, 0);
  now.series.calls.add(health.live_calls);
  now.series.late.add(lateBefore === null ? 0 : Math.max(0, late - lateBefore));
  lateBefore = late;
  const gaps = now.call?.turns.map((turn) => turn.gap_ms).filter((gap) => gap !== null) ?? [];
  now.series.gap.add(gaps.at(-1) ?? null);
  for (const [name, , , read] of GAUGES) now.series[name].add(health.machine ? read(health.machine) ?? null : null);
}

function theme() {
  return localStorage.getItem("theme") ?? "auto";
}

function turnTheme() {
  localStorage.setItem("theme", THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length]);
  render();
}

function turnLanguage() {
  choose(language() === "en" ? "ru" : "en");
  render();
}

function nav(view) {
  const may = (scope) => scope === null || now.session.scopes.includes(scope);
  return h("nav", { "aria-label": t("nav.label") }, h("ul", null, NAV.filter(([, scope]) => may(scope)).map(([name]) =>
    h("li", { "data-key": name }, h("a", { href: `#${name === "overview" ? "" : name}`, "aria-current": name === view ? "page" : null }, t(`nav.${name}`))))));
}

function head(view) {
  const { name, title } = answer(now);
  const isIn = now.session?.is_known;
  return h("header", null,
    h("a", { class: "skip", href: "#main", onclick: (event) => {
      event.preventDefault();
      document.getElementById("main").focus();
    } }, t("nav.skip")),
    h("h1", null, "Attendant"),
    isIn && view !== "overview" && h("a", { href: "#", class: `badge answer-${name}` }, title),
    h("div", { class: "tools" },
      h("button", { id: "language", type: "button", lang: language() === "en" ? "ru" : "en", onclick: turnLanguage }, language() === "en" ? "Русский" : "English"),
      h("button", { id: "theme", type: "button", onclick: turnTheme }, t(`theme.${theme()}`))),
    isIn && nav(view));
}

function body({ view, id }) {
  if (now.session === null) return [h("p", { class: "quiet" }, now.isLost ? t("answering.lost") : t("answering.asking"))];
  // Whoever sets the first password shows the code of the box.
  if (!now.session.is_known && !now.session.has_password) return firstRun(now);
  if (!now.session.is_known) return signIn(now);
  const unsafe = now.session.is_open && view !== "first-run" && h("p", { class: "warning" }, t("access.open"), " ", h("a", { href: "#first-run" }, t("first.begin")));
  return [unsafe, bar(now, view === "call" ? id : null), ...VIEWS[view](now, id)];
}

function draw() {
  isWaiting = false;
  const at = place();
  const root = document.documentElement;
  root.lang = language();
  if (theme() === "auto") root.removeAttribute("data-theme");
  else root.dataset.theme = theme();
  const { title } = answer(now);
  document.title = now.session?.is_known ? `${title} · Attendant` : "Attendant";
  show(document.getElementById("page"), head(at.view), h("main", { id: "main", tabindex: "-1" },
    h("p", { id: "note", role: "status", class: now.note ? "note" : "" }, now.note), h("div", { "data-key": `view-${at.view}-${at.id ?? ""}` }, body(at))));
}

function render() {
  if (isWaiting) return;
  isWaiting = true;
  requestAnimationFrame(draw);
}

async function begin() {
  try {
    now.session = await session();
    now.isLost = false;
    if (now.session.is_open && location.hash === "" && !sessionStorage.getItem("begun")) {
      sessionStorage.setItem("begun", "yes");
      location.hash = "#first-run";
    }
    watch();
  } catch {
    now.isLost = true;
    setTimeout(begin, 3000);
  }
  render();
}

addEventListener("hashchange", () => {
  now.note = "";
  if (place().view === "settings") forgetSettings();
  if (place().view === "messages") forgetMessages();
  if (place().view === "campaigns") forgetCampaigns();
  if (place().view === "box") forgetBox();
  watch();
  draw();
  document.querySelector("main h2")?.focus();
});

// How long calls last goes on without being sent.
setInterval(() => {
  for (const place of document.querySelectorAll("[data-since]")) {
    if (place.dataset.since) place.textContent = length(Date.now() - Number(place.dataset.since));
  }
}, 1000);

render();
begin();
