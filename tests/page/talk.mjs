// One call through the page: greeted, understood across a restart of ICE, hung up on by the button; pictures of it.

import { PATIENCE, finish, keep, open, said, settings, talk, witnessed } from "./browser.mjs";

const browser = await open(settings.microphone);
const { page, requests } = await witnessed(browser, { viewport: { width: 1280, height: 800 } });
await page.goto(`${settings.box}/call`);
await page.evaluate("witness.isRecording = true");
await page.getByRole("button", { name: "Call", exact: true }).click();
await page.getByText("In call").waitFor();
const isLoud = () => page.waitForFunction(() => document.getElementById("theirs").value > 0.05);
await isLoud();

const [name, before] = [await page.evaluate("witness.name()"), await page.evaluate("witness.packets()")];
await page.evaluate("dispatchEvent(new Event('online'))");
await page.waitForFunction((name) => window.witness.name() !== name, name, { timeout: PATIENCE });
await page.waitForFunction(async (before) => (await window.witness.packets()) > before + 100, before);
await said(page, "you", "opening hours");
await page.locator("#talk .you + .we").first().waitFor();
await isLoud();
await page.screenshot({ path: `${settings.folder}/desktop.png` });
await page.setViewportSize({ width: 390, height: 844 });
await page.getByRole("button", { name: "Keypad" }).click();
await page.screenshot({ path: `${settings.folder}/phone.png`, fullPage: true });
const shown = await talk(page);
const statistics = await page.evaluate("witness.connections.at(-1).getStats().then((all) => [...all.values()])");
const inbound = statistics.find(({ type }) => type === "inbound-rtp");
await page.getByRole("button", { name: "Hang up" }).click();
await page.getByText("You have hung up").waitFor();
await keep(page, `${settings.folder}/heard.raw`);
await finish(browser, { shown, requests, lost: inbound.packetsLost, received: inbound.packetsReceived });
