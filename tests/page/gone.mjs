// A call that breaks off before there is sound leaves nothing open. A connection that ends is the end of its call; a box that goes away is told to whoever is in a call, and to who calls
// afterwards.

import { finish, open, settings, witnessed } from "./browser.mjs";
import { writeFile } from "node:fs/promises";

const browser = await open(settings.microphone);
const { page, requests } = await witnessed(browser);
await page.goto(`${settings.box}/call`);
const click = () => page.getByRole("button", { name: "Call", exact: true }).click();
// What the browser refuses in the middle of a call's begin, once.
const broken = [];
for (const step of ["setLocalDescription", "setRemoteDescription"]) {
  await page.evaluate((name) => {
    const [of, own] = [RTCPeerConnection.prototype, RTCPeerConnection.prototype[name]];
    of[name] = () => {
      of[name] = own;
      return Promise.reject(new Error(`${name} is broken`));
    };
    const ask = navigator.mediaDevices.getUserMedia;
    navigator.mediaDevices.getUserMedia = async (what) => {
      navigator.mediaDevices.getUserMedia = ask;
      witness.microphone = await ask.call(navigator.mediaDevices, what);
      return witness.microphone;
    };
  }, step);
  const before = requests.length;
  await click();
  await page.locator("#error", { hasText: `${step} is broken` }).waitFor();
  const left = await page.evaluate(() => ({
    connection: witness.connections.at(-1).connectionState,
    microphone: witness.microphone.getTracks().map((track) => track.readyState),
    canCall: !document.getElementById("call").disabled && !document.getElementById("call").hidden,
  }));
  broken.push({ step, ...left, requests: requests.slice(before) });
}
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
await finish(browser, { broken, closed, ended, error, requests });
