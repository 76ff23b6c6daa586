// The status page as an owner uses it: first run, a call seen moving, settings changed and rolled back, Russian, a
// telephone, somebody who only looks. Settings as JSON in SETTINGS; what came of it as JSON in the file `result`.

import { readFile, writeFile } from "node:fs/promises";
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

async function firstRun(page) {
  await page.goto(settings.box);
  await page.getByRole("heading", { name: "Password" }).waitFor();
  await look(page, "first-run");
  await page.getByLabel("New password, 8 characters or more").fill(PASSWORD);
  await page.getByLabel("New password again").fill(PASSWORD);
  await page.getByRole("button", { name: "Set the password" }).click();
  await page.getByRole("heading", { name: "Line" }).waitFor();
  await look(page, "first-run-line");
  for (const step of ["Voice", "Greeting and hours"]) {
    await page.locator("#skip").click();
    await page.getByRole("heading", { name: step }).waitFor();
  }
  await page.getByLabel("Name of the firm").fill("Miller and Sons");
  await page.getByRole("button", { name: "Next" }).click();
  await page.getByRole("heading", { name: "People" }).waitFor();
  await page.getByLabel("Name, as it is spoken").fill("Ann Weber");
  await page.getByLabel("Telephone number or SIP address").fill("+4930123456");
  await page.getByRole("button", { name: "Next" }).click();
  await page.getByRole("heading", { name: "Done" }).waitFor();
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
  await page.getByRole("button", { name: "Hang up" }).click();
  await page.getByText("Ended by the owner").first().waitFor();
}

async function changeSettings(page) {
  await page.goto(`${settings.box}/#settings`);
  const section = page.locator("details", { has: page.locator("summary h3", { hasText: /^calls$/ }) });
  await section.locator("summary").click();
  const most = section.getByLabel("max", { exact: true });
  result.before = await most.inputValue();
  await most.fill("700");
  await most.blur();
  await page.locator("#save").click();
  await page.locator(".field .bad").first().waitFor();
  result.refused = (await page.locator(".field .bad").allTextContents()).join(" ");
  await look(page, "settings");
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
  for (const name of ["lines", "machine", "access", "history", "messages", "log", "box"]) {
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
  for (const name of ["overview", "history", "messages", "lines", "machine", "settings", "log", "box", "access"]) {
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
  await liveCall(page);
  await changeSettings(page);
  await others(page);
  await onTelephone();
  await page.goto(`${settings.box}/#access`);
  await page.locator("#sign-out").click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
} finally {
  await writeFile(settings.result, JSON.stringify(result));
  await browser.close();
}
