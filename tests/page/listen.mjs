// Somebody of the firm's listens to a call at the status page, takes it over, gives it back, takes it over again, and is
// gone. What came of it is JSON in the file `told` of the folder; then this waits to be killed.

import { readFile, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { PATIENCE, keep, open, settings, witnessed } from "./browser.mjs";

const PASSWORD = "correct horse battery";
const modules = dirname(dirname(process.env.PLAYWRIGHT));
const axe = await readFile(join(modules, "axe-core/axe.min.js"), "utf8");
const at = (name) => join(settings.folder, name);
const result = { axe: [], faults: [], notes: [] };

const browser = await open(settings.microphone);
const { page, requests } = await witnessed(browser, { viewport: { width: 1200, height: 800 }, locale: "en-GB" });
page.on("pageerror", (error) => result.faults.push(error.message));

// The page's own rules forbid the script that looks; only the debugger may put it in.
async function look(name) {
  await page.screenshot({ path: at(`${name}.png`), fullPage: true });
  const debug = await page.context().newCDPSession(page);
  await debug.send("Runtime.evaluate", { expression: `${axe}; undefined` });
  const { result: told } = await debug.send("Runtime.evaluate", {
    expression: "axe.run().then((told) => JSON.stringify(told.violations.map((one) => ({ id: one.id, impact: one.impact, at: one.nodes.map((node) => node.target.join(' ')) }))))",
    awaitPromise: true, returnByValue: true,
  });
  const found = JSON.parse(told.value).filter((one) => ["serious", "critical"].includes(one.impact));
  result.axe.push(...found.map((one) => ({ page: name, ...one })));
}

// By the keyboard alone, as somebody without a mouse.
async function press(name) {
  const button = page.getByRole("button", { name, exact: true });
  await button.waitFor();
  await page.waitForFunction((name) => [...document.querySelectorAll("button")].some((one) => one.textContent === name && !one.disabled), name);
  await button.focus();
  await page.keyboard.press("Enter");
}

async function noted(text) {
  await page.locator("#note", { hasText: text }).waitFor();
  result.notes.push(text);
  return Date.now();
}

async function told(name) {
  for (const end = Date.now() + PATIENCE; ;) {
    if (await stat(at(name)).catch(() => null)) return;
    if (Date.now() > end) throw new Error(`nobody has told ${name}`);
    await page.waitForTimeout(50);
  }
}

const record = () => page.evaluate(async () => (await fetch("/api/calls/c1")).json());

const first = { data: { code: settings.code, password: PASSWORD } };
const set = await page.request.post(`${settings.box}/api/first-password`, first);
if (!set.ok()) throw new Error(`the first password: ${set.status()}`);
await page.goto(settings.box);
await page.getByText("Answering calls").first().waitFor();
await writeFile(at("ready"), "");

await page.locator(".cards a").first().click();
await page.evaluate("witness.isRecording = true");
await press("Listen");
await noted("You hear both sides. Nobody hears you.");
await writeFile(at("listening"), "");
await page.locator(".talk .said-caller:not(.partial) ~ .said-us").first().waitFor();
await page.waitForTimeout(4000);
await look("listening");

await press("Take over");
result.tookOver = await noted("The caller hears you. The assistant is silent.");
const { turns } = await record();
result.turns = turns.length;
result.replies = turns.map((turn) => turn.reply);
await page.getByText("taken over by a person").first().waitFor();
await look("speaking");
await page.locator("#language").click();
await page.getByRole("button", { name: "Вернуть", exact: true }).waitFor();
await look("speaking-russian");
await page.locator("#language").click();
await page.goto(`${settings.box}/#`);
await page.locator(".bar").waitFor();
await look("bar");
await page.locator(".bar a").click();
await writeFile(at("speaking"), "");
await told("go-on");

result.turnsAfter = (await record()).turns.length;
await press("Give back");
result.gaveBack = await noted("The assistant has the call again.");
await page.waitForTimeout(5000);
result.microphone = await page.evaluate("witness.connections.at(-1).getSenders().map(({ track }) => track?.readyState ?? null)");
await press("Take over");
await noted("The caller hears you. The assistant is silent.");
result.attended = (await record()).attended;
await page.waitForTimeout(500);
await keep(page, at("heard.raw"));
result.requests = requests;
await writeFile(at("told.part"), JSON.stringify(result));
await writeFile(at("told"), "");
await new Promise(() => setInterval(() => {}, 1000));
