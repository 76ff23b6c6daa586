// Chromium with a microphone of sound from a file, driven by Playwright. Each script here gets its settings as JSON in
// SETTINGS and writes what came of it as JSON to the file that they name as `result`.

import { readFile, writeFile } from "node:fs/promises";

const { chromium } = await import(process.env.PLAYWRIGHT);

export const settings = JSON.parse(process.env.SETTINGS);
const WITNESS = await readFile(new URL("witness.js", import.meta.url), "utf8");
/** Of anything that is waited for, on a busy machine. */
export const PATIENCE = 45_000;

/** A browser whose microphone plays the file once, from the moment that a page asks for it. */
export async function open(microphone) {
  return chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio",
      "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
      `--use-file-for-fake-audio-capture=${microphone}%noloop`,
      "--autoplay-policy=no-user-gesture-required",
    ],
  });
}

/** A page with a witness in it; `requests` are those that it makes, as "METHOD /path". */
export async function witnessed(browser, options = {}) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  await page.addInitScript(WITNESS);
  const requests = [];
  page.on("request", (request) => {
    const path = new URL(request.url()).pathname.replace(/[0-9a-f]{32}/, "SESSION");
    requests.push(`${request.method()} ${path}`);
  });
  return { page, requests };
}

/** What the transcript shows, as "you: words" and "we: words". */
export function talk(page) {
  return page.$$eval("#talk li", (all) => all.map((one) => `${one.className}: ${one.lastChild.textContent}`));
}

/** Waits until the transcript has a line of `who` with these words. */
export function said(page, who, words) {
  return page.locator(`#talk .${who}`, { hasText: words }).first().waitFor();
}

/** The sound that the page has heard, as 16-bit samples at 16 kHz, to a file. */
export async function keep(page, path) {
  const samples = await page.evaluate("witness.heard");
  await writeFile(path, Buffer.from(Int16Array.from(samples).buffer));
}

export async function finish(browser, result) {
  await writeFile(settings.result, JSON.stringify(result));
  await browser.close();
}
