// Many calls, some at once: each is greeted, speaks, is understood and hangs up by the button.

import { finish, keep, open, said, settings, talk, witnessed } from "./browser.mjs";

const browser = await open(settings.microphone);
const calls = [];
let next = 0;

async function visit() {
  const { page, requests } = await witnessed(browser);
  while (next < settings.calls) {
    const number = next++;
    await page.goto(`${settings.box}/call`);
    await page.evaluate("witness.isRecording = true");
    requests.length = 0;
    const began = performance.now();
    await page.getByRole("button", { name: "Call", exact: true }).click();
    await page.waitForFunction(() => document.getElementById("theirs").value > 0.03);
    const sound_ms = Math.round(performance.now() - began);
    await said(page, "you", settings.words);
    await page.locator("#talk .you + .we").first().waitFor();
    const shown = await talk(page);
    await page.getByRole("button", { name: "Hang up" }).click();
    await page.getByText("You have hung up").waitFor();
    await keep(page, `${settings.folder}/heard-${number}.raw`);
    calls.push({ number, sound_ms, shown, requests: [...requests] });
  }
}

await Promise.all(Array.from({ length: settings.at_once }, visit));
await finish(browser, calls);
