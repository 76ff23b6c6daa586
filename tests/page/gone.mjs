// A connection that ends is the end of its call; a box that goes away is told to whoever is in a call, and to who calls
// afterwards.

import { finish, open, settings, witnessed } from "./browser.mjs";
import { writeFile } from "node:fs/promises";

const browser = await open(settings.microphone);
const { page, requests } = await witnessed(browser);
await page.goto(`${settings.box}/call`);
const click = () => page.getByRole("button", { name: "Call", exact: true }).click();
await click();
await page.getByText("In call").waitFor();
// As where a page is closed and nothing more leaves it than the end of its connection.
const began = Date.now();
await page.evaluate("witness.connections.at(-1).close()");
await page.getByText(/^Ended\./).waitFor();
const closed = { ms: Date.now() - began, text: await page.locator("#state").innerText() };
await click();
await page.getByText("In call").waitFor();
await writeFile(settings.up, "in call");
await page.getByText(/^Ended\./).waitFor();
const ended = await page.locator("#state").innerText();
await page.getByRole("button", { name: "Call", exact: true }).click();
await page.locator("#error", { hasText: "does not answer" }).waitFor();
const error = await page.locator("#error").innerText();
await finish(browser, { closed, ended, error, requests });
