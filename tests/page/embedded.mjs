// A page of another site imports the box's module and calls with a token; another site may not.

import { finish, open, settings, witnessed } from "./browser.mjs";

const browser = await open(settings.microphone);
const results = {};
for (const [name, { url, token }] of Object.entries(settings.sites)) {
  const { page, requests } = await witnessed(browser);
  const console = [];
  page.on("console", (message) => console.push(message.text()));
  await page.goto(url);
  const gone = page.waitForResponse((answer) => answer.request().method() === "DELETE").catch(() => null);
  const told = await page.evaluate(async ([box, token, patience]) => {
    let module;
    try {
      module = await import(`${box}/line.js`);
    } catch (error) {
      return { imported: false, error: error.message };
    }
    const microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
    const line = new module.Line(microphone, { token });
    const heard = new Promise((done, failed) => {
      const sees = ({ detail }) => {
        if (detail.turns.some(({ caller }) => caller.includes("opening hours"))) done(detail);
      };
      line.addEventListener("words", sees);
      line.addEventListener("over", ({ detail }) => failed(new Error(`over: ${detail}`)));
      setTimeout(() => failed(new Error("nothing was understood")), patience);
    });
    heard.catch(() => {});
    const over = new Promise((done) => { line.addEventListener("over", ({ detail }) => done(detail)); });
    try {
      await line.call();
    } catch (error) {
      return { imported: true, error: error.message, status: error.status ?? null };
    }
    const words = await heard;
    line.hangUp();
    return { imported: true, words, over: await over };
  }, [settings.box, token, 30_000]);
  if (told.over) await gone;
  results[name] = { ...told, requests, console };
  await page.context().close();
}
await finish(browser, results);
