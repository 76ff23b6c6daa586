// A caller who is muted while speaking is not heard, then is; and a key of the keypad reaches the playbook.

import { finish, open, said, settings, talk, witnessed } from "./browser.mjs";

const browser = await open(settings.microphone);
const { page } = await witnessed(browser);
await page.goto(`${settings.box}/call`);
await page.getByRole("button", { name: "Call", exact: true }).click();
await page.getByText("In call").waitFor();
await page.getByRole("button", { name: "Mute" }).click();
const isMuted = await page.getByRole("button", { name: "Muted" }).getAttribute("aria-pressed");
// The microphone itself goes on: what it plays is over when as much of it has been recorded.
await page.waitForTimeout(settings.spoken_ms);
const muted = await talk(page);
await page.getByRole("button", { name: "Muted" }).click();
await said(page, "you", settings.words);
const unmuted = await talk(page);
await page.getByRole("button", { name: "Keypad" }).click();
await page.locator("#keys").getByRole("button", { name: settings.key, exact: true }).click();
await said(page, "we", settings.reply);
const keyed = await talk(page);
await page.getByRole("button", { name: "Hang up" }).click();
await page.getByText("You have hung up").waitFor();
await finish(browser, { isMuted, muted, unmuted, keyed });
