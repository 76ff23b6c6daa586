// The status page as an owner uses it: first run, a call seen moving, settings changed and rolled back, Russian, a
// telephone, somebody who only looks. Settings as JSON in SETTINGS; what came of it as JSON in the file `result`.

import { readFile, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

const { chromium } = await import(process.env.PLAYWRIGHT);
const settings = JSON.parse(process.env.SETTINGS);
const PATIENCE = 45_000;
const PASSWORD = "correct horse battery";
const modules = dirname(dirname(process.env.PLAYWRIGHT));
const axe = await readFile(join(modules, "axe-core/axe.min.js"), "utf8");
const result = { faults: [], foreign: [], axe: [], wide: [] };

// What changes something: all that can be pressed or filled in, but the search, places in a recording and the way out.
async function controls(page) {
  return page.evaluate(() => [...document.querySelectorAll("main :is(button, input, select, textarea)")]
    .filter((one) => !one.matches("#sign-out, .time") && !one.closest("[role=search]"))
    .map((one) => one.outerHTML.slice(0, 200)));
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio"],
});

async function open(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1200, height: 800 }, locale: "en-GB", ...options });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  page.on("pageerror", (error) => result.faults.push(error.message));
  page.on("console", (message) => {
    // A refusal that the page shows is also the browser's line.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) result.faults.push(message.text());
  });
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.origin !== new URL(settings.box).origin && url.protocol !== "blob:") result.foreign.push(url.href);
  });
  return page;
}

// The page's own rules forbid the script that looks; only the debugger may put it in.
async function look(page, name) {
  await page.waitForTimeout(300);
  await page.screenshot({ path: join(settings.folder, `${name}.png`), fullPage: name !== "settings" });
  const debug = await page.context().newCDPSession(page);
  await debug.send("Runtime.evaluate", { expression: `${axe}; undefined` });
  const { result: told } = await debug.send("Runtime.evaluate", {
    expression: "axe.run().then((told) => JSON.stringify(told.violations.map((one) => ({ id: one.id, impact: one.impact, at: one.nodes.map((node) => node.target.join(' ')) }))))",
    awaitPromise: true, returnByValue: true,
  });
  const found = JSON.parse(told.value);
  result.axe.push(...found.filter((one) => ["serious", "critical"].includes(one.impact)).map((one) => ({ page: name, ...one })));
  const over = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
  if (over > 0) result.wide.push(`${name}: ${over}`);
}

async function until(page, holds) {
  const end = Date.now() + PATIENCE;
  while (!await page.evaluate(holds)) {
    if (Date.now() > end) throw new Error(`not in time: ${holds}`);
    await page.waitForTimeout(200);
  }
}

async function firstRun(page) {
  await page.goto(settings.box);
  await page.getByRole("heading", { name: "Password" }).waitFor();
  await look(page, "first-run");
  await page.getByLabel("Code of the box").fill("2222-2222");
  await page.getByLabel("New password, 8 characters or more").fill(PASSWORD);
  await page.getByLabel("New password again").fill(PASSWORD);
  await page.getByRole("button", { name: "Set the password" }).click();
  await page.getByText("The code of the box is another one.").waitFor();
  await page.getByLabel("Code of the box").fill(settings.code.toLowerCase());
  await page.getByRole("button", { name: "Set the password" }).click();
  await page.getByRole("heading", { name: "Line" }).waitFor();
  await look(page, "first-run-line");
  await page.locator("#skip").click();
  await page.getByRole("heading", { name: "Voice" }).waitFor();
  // The engine loads its models meanwhile.
  await until(page, () => fetch("/health").then((told) => told.json()).then((health) => health.engine !== null));
  await page.locator("#hear").click();
  await until(page, () => document.getElementById("trial-sound")?.duration > 0.5);
  await look(page, "first-run-voice");
  await page.locator("#skip").click();
  await page.getByRole("heading", { name: "Greeting and hours" }).waitFor();
  await page.getByLabel("Name of the firm").fill("Miller and Sons");
  await page.getByLabel("Greeting, as it is spoken").fill("Welcome to {firm}.");
  await page.getByRole("button", { name: "Next" }).click();
  await page.getByRole("heading", { name: "People" }).waitFor();
  await person(page, "Ann Weber", "+4930123456");
  await page.locator("#another").click();
  await page.getByText("Ann Weber · +4930123456").waitFor();
  await look(page, "first-run-people");
  await person(page, "Bob Miller", "+4930123457");
  await page.getByLabel("Hours").fill("whenever");
  await page.getByRole("button", { name: "Next" }).click();
  await page.getByText("People, Hours").waitFor();
  result.wrongHours = await page.locator("#note").textContent();
  await page.getByLabel("Hours").fill("Mon-Fri 08:00-18:00");
  await page.getByRole("button", { name: "Next" }).click();
  await page.getByRole("heading", { name: "Done" }).waitFor();
  await look(page, "first-run-done");
  await page.locator("#restart").click();
  await signInAgain(page);
}

async function person(page, name, number) {
  await page.getByLabel("Name, as it is spoken").fill(name);
  await page.getByLabel("Telephone number or SIP address").fill(number);
}

// The box starts again, and knows no browser any more.
async function signInAgain(page) {
  await page.getByRole("heading", { name: "Sign in" }).waitFor({ timeout: 120_000 });
  await page.locator("#password").fill(PASSWORD);
  await page.keyboard.press("Enter");
  await page.locator("nav").waitFor();
}

// The other half of an update is played here: what the system would tell, and what it is asked for.
async function updates(page) {
  const tell = (state, more = {}) => writeFile(join(settings.run, "update.json"),
    JSON.stringify({ state, current: "7", available: "", percent: 0, message: "", ...more }));
  await page.goto(`${settings.box}/#updates`);
  await page.getByText("updated by its package manager").waitFor();
  await tell("available", { available: "8" });
  await page.getByText("There is a newer version.").waitFor();
  await look(page, "updates");
  await page.locator("#update-later").click();
  await page.locator("#update-held").waitFor();
  result.later = await page.locator("#update-held").textContent();
  await page.getByRole("button", { name: "Do not" }).click();
  await page.locator("#update-now").click();
  await page.getByText("waits until no call is up (now: 1)").waitFor();
  result.askedInCall = await stat(join(settings.run, "update-request")).then(() => true, () => false);
  return async () => {
    const until = Date.now() + PATIENCE;
    while (!result.asked && Date.now() < until) {
      result.asked = await readFile(join(settings.run, "update-request"), "utf8").catch(() => "");
      await page.waitForTimeout(100);
    }
    await page.goto(`${settings.box}/#updates`);
    await tell("installing", { available: "8", percent: 40 });
    await page.locator("progress").waitFor();
    await tell("waiting-for-restart", { available: "8", percent: 100 });
    await page.getByText("The system starts anew when no call is up.").waitFor();
    await tell("none");
    await page.getByText("This is the newest version.").waitFor();
  };
}

// The box calls itself, and speaks a sentence.
async function trials(page) {
  await until(page, () => fetch("/health").then((told) => told.json()).then((health) => health.takes_calls));
  await page.goto(`${settings.box}/#settings`);
  // The view before has such a button, too.
  await page.locator("form#settings").waitFor();
  await page.locator("#try-call").click();
  await page.getByText("It is being tried").waitFor();
  await page.getByText("Greeted after").waitFor({ timeout: 90_000 });
  result.tried = await page.getByText("Greeted after").textContent();
  await page.locator("#try-voice").click();
  await until(page, () => document.getElementById("trial-sound")?.duration > 0.5);
  result.ending = await page.evaluate(() => import("/page/format.js").then((format) => format.ending({ state: "cut-off", cause: null })));
}

async function backUpAndBack(page) {
  await page.goto(`${settings.box}/#box`);
  await page.locator("#backup-passphrase").fill("four quiet harbours");
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Download the backup" }).click()]);
  const file = join(settings.folder, "attendant.backup");
  await download.saveAs(file);
  result.backupBytes = (await stat(file)).size;
  await page.locator("#restore-file").setInputFiles(file);
  await page.locator("#restore-passphrase").fill("another phrase");
  await page.getByRole("button", { name: "Put back and start again" }).click();
  await page.getByText("the passphrase is another one").waitFor();
  await page.locator("#restore-passphrase").fill("four quiet harbours");
  await page.getByRole("button", { name: "Put back and start again" }).click();
  await signInAgain(page);
  await page.goto(`${settings.box}/#box`);
  await page.locator("#undo-restore").waitFor();
  const calls = await page.evaluate(() => fetch("/api/history").then((told) => told.json()));
  result.callsAfter = calls.calls.length;
}

async function liveCall(page) {
  await page.goto(`${settings.box}/#`);
  await page.getByText("Answering calls").first().waitFor();
  await writeFile(join(settings.folder, "call-me"), "");
  const card = page.locator(".cards a").first();
  await card.waitFor();
  await look(page, "overview");
  await card.click();
  await page.locator("main button.danger").waitFor();
  result.ownerControls = { call: (await controls(page)).length };
  const seen = new Set();
  const until = Date.now() + 90_000;
  let partial = false;
  while (Date.now() < until) {
    const speaking = await page.locator("main .speaker").first().getAttribute("class", { timeout: 1000 }).catch(() => null);
    if (speaking) seen.add(speaking.replace("speaker speaker-", ""));
    partial ||= (await page.locator(".partial").count()) > 0;
    const lines = await page.locator(".talk li:not(.partial)").count();
    if (lines >= 3 && seen.has("us") && seen.has("caller") && partial && await page.locator(".waterfall").count() > 0) break;
    await page.waitForTimeout(50);
  }
  result.seen = [...seen];
  result.partial = partial;
  result.talk = await page.locator(".talk li:not(.partial)").allTextContents();
  result.gaps = await page.locator(".gaps tbody tr").count();
  await look(page, "call");
  await page.emulateMedia({ colorScheme: "dark" });
  await look(page, "call-dark");
  await page.emulateMedia({ colorScheme: "light" });
  const after = await updates(page);
  await page.goBack();
  await page.getByRole("button", { name: "Hang up" }).click();
  await page.getByText("Ended by the owner").first().waitFor();
  await after();
}

async function changeSettings(page) {
  await page.goto(`${settings.box}/#settings`);
  const part = (name) => page.locator("details", { has: page.locator("summary h3", { hasText: name }) });
  const section = part(/^Calls$/);
  await section.locator("summary").click();
  const most = section.locator("input[name='calls.max']");
  await section.locator("label", { hasText: "Calls at once" }).waitFor();
  result.before = await most.inputValue();
  await most.fill("700");
  await most.blur();
  await page.locator("#save").click();
  await page.locator(".field .bad").first().waitFor();
  result.refused = (await page.locator(".field .bad").allTextContents()).join(" ");
  result.refusedAll = await page.locator(".stays .bad").textContent();
  await look(page, "settings");
  await part(/^This page$/).locator("summary").click();
  const listen = page.locator("input[name='web.listen']");
  const before = await listen.inputValue();
  await most.fill("4");
  await listen.fill(settings.taken);
  await listen.blur();
  await page.locator("#save").click();
  await page.getByText("is in use by another program").first().waitFor();
  result.taken = await page.locator(".stays .bad").textContent();
  await listen.fill(before);
  await listen.blur();
  await most.fill("3");
  await most.blur();
  await page.locator("#save").click();
  await page.getByText("Saved.").waitFor();
  result.written = await readFile(settings.config, "utf8");
  await page.locator("#undo").click();
  await page.getByText("It is as before.").waitFor();
  result.after = await most.inputValue();
  result.undone = await readFile(settings.config, "utf8");
}

async function others(page) {
  for (const name of ["lines", "machine", "access", "history", "messages", "campaigns", "log", "box", "updates"]) {
    await page.goto(`${settings.box}/#${name}`);
    await page.locator("main h2").first().waitFor();
    await look(page, name);
    result.ownerControls[name] = (await controls(page)).length;
  }
  await page.goto(`${settings.box}/#access`);
  const reader = page.locator("form", { has: page.locator("#reader-password") });
  await reader.locator("#reader-current").fill(PASSWORD);
  await reader.locator("#reader-password").fill("only looking");
  await reader.locator("#reader-again").fill("only looking");
  await reader.getByRole("button").click();
  await page.getByText("The password is set.").waitFor();
}

// By keyboard alone, in Russian, on a telephone.
async function onTelephone() {
  const page = await open({ viewport: { width: 390, height: 844 }, locale: "ru-RU", colorScheme: "dark", isMobile: true, hasTouch: true });
  await page.goto(settings.box);
  await page.getByRole("heading", { name: "Вход" }).waitFor();
  await look(page, "sign-in-russian");
  await page.locator("#person").selectOption("reader");
  await page.locator("#password").fill("nonsense");
  await page.keyboard.press("Enter");
  await page.getByText("Пароль не подходит.").waitFor();
  await page.locator("#password").fill("only looking");
  await page.keyboard.press("Enter");
  await page.getByText("Отвечаем на звонки").first().waitFor();
  await look(page, "telephone-russian");
  result.russian = await page.locator("nav a").allTextContents();
  await page.locator(".scrolls a").first().click();
  await page.locator(".talk").waitFor();
  await look(page, "telephone-call");
  result.readerControls = {};
  for (const name of ["overview", "history", "messages", "campaigns", "lines", "machine", "settings", "log", "box", "updates", "access"]) {
    await page.goto(`${settings.box}/#${name}`);
    await page.reload();
    await page.locator("main > :not(#note)").first().waitFor();
    await page.waitForTimeout(300);
    result.readerControls[name] = await controls(page);
  }
  await page.goto(`${settings.box}/#overview`);
  await writeFile(join(settings.folder, "call-me-again"), "");
  await page.locator(".cards a").first().click();
  await page.locator("main .speaker").first().waitFor();
  result.readerControls.call = await controls(page);
  await page.context().close();
}

try {
  const page = await open();
  await firstRun(page);
  await trials(page);
  await liveCall(page);
  await changeSettings(page);
  await others(page);
  await onTelephone();
  await backUpAndBack(page);
  await page.goto(`${settings.box}/#access`);
  await page.locator("#sign-out").click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
} catch (error) {
  // What somebody would have seen instead.
  for (const page of browser.contexts().flatMap((context) => context.pages())) {
    console.error(page.url(), await page.locator("body").innerText({ timeout: 1000 }).catch(String));
  }
  throw error;
} finally {
  await writeFile(settings.result, JSON.stringify(result));
  await browser.close();
}
