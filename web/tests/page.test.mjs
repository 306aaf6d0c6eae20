// The page in Chromium, driven as a person does, against Python's numbers.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { PHONE, launch, serve } from "./serving.mjs";

const root = join(import.meta.dirname, "..");
const pairs = join(root, "build/pairs");
const expected = JSON.parse(await readFile(join(pairs, "expected.json"), "utf8"));
const names = Object.keys(expected).filter((name) => name !== "4k");
const file = (name) => join(pairs, name);

let server, browser, context, page;
before(async () => {
  server = await serve(join(root, "dist"));
  browser = await launch();
  context = await browser.newContext();
  page = await opened(context, "?threads=2");
});
after(async () => {
  await browser?.close();
  await server?.close();
});

async function opened(its, search = "") {
  const made = await its.newPage();
  made.setDefaultTimeout(45_000);
  await made.goto(server.address + search);
  await made.waitForFunction(() => crossOriginIsolated); // the service worker has loaded it again
  await made.waitForSelector("[data-ready]");
  return made;
}

const original = () => page.getByLabel("Original", { exact: true });
const copy = (which) => page.locator(`input[type=file][aria-label^="Copy ${which}"]`);

/** The distances shown, once the page has compared what it has now. */
async function distances() {
  await says(/^Compared/);
  return page.$$eval(".distance", (found) => found.map((each) => Number(each.dataset.distance)));
}

async function empty() {
  const remove = page.getByRole("button", { name: "Remove" });
  while ((await remove.count()) > 0) await remove.first().click();
}

/** Waits until the page says something. */
async function says(words) {
  const status = page.locator("#status", { hasText: words });
  await status.waitFor();
  return status.textContent();
}

function near(found, wanted, what) {
  assert.ok(Math.abs(found - wanted) <= 1e-3 * wanted, `${what}: ${found}, but Python says ${wanted}`);
}

for (const net of ["pixels", "alex", "alex-32"]) {
  test(`ten photographs with ${net} are as far apart as in Python`, async () => {
    await page.getByLabel("Network").selectOption(net);
    for (const name of names) {
      await empty();
      await original().setInputFiles([file(`${name}-a.png`), file(`${name}-b.png`)]);
      const [distance] = await distances();
      near(distance, expected[name][net].distance, name);
      const times = `${expected[name][net].jnd.toFixed(1)} × just noticeable`;
      assert.ok((await page.textContent(".card")).includes(times), `${name}: ${times}`);
    }
  });
}

test("one picture has no distance, a third picture ranks two copies", async () => {
  await page.getByLabel("Network").selectOption("pixels");
  await empty();
  await original().setInputFiles(file("astronaut-a.png"));
  await says("Choose a copy of it.");
  await copy("A").setInputFiles(file("astronaut-b.png"));
  await copy("B").setInputFiles(file("tissue-b.png"));
  await page.waitForSelector(".card.closer");
  const cards = await page.$$eval(".card", (found) => found.map((each) => each.textContent));
  assert.equal(cards.length, 2);
  assert.match(cards[0], /Copy A.*closer to the original/);
  assert.doesNotMatch(cards[1], /closer/);
  near((await distances())[0], expected.astronaut.pixels.distance, "astronaut");
});

test("a photograph that its EXIF turns is compared upright", async () => {
  await empty();
  await original().setInputFiles([file("coffee-a.png"), file("turned.jpg")]);
  const [distance] = await distances();
  assert.ok(distance < 0.1, `a JPEG of quality 95 is ${distance} from the picture it was made of`);
  assert.match(await page.textContent("#how"), /Compared at 600 × 400 pixels in/);
});

test("4K photographs are brought down to a megapixel, as Python does it", async () => {
  await empty();
  await original().setInputFiles([file("4k-a.png"), file("4k-b.png")]);
  const [distance] = await distances();
  near(distance, expected["4k"].pixels.distance, "4k");
  assert.match(await page.textContent("#how"), /at 1365 × 768 pixels \(brought down from 3840 × 2160;/);
});

test("a file that is no picture, and pictures of two shapes, get one sentence", async () => {
  await empty();
  await original().setInputFiles(file("notes.txt"));
  assert.match(await says("notes.txt"), /^“notes.txt” is not a picture that this browser can read: choose a JPEG, [^.]*\.$/);
  await original().setInputFiles(file("cat-a.png"));
  await says("Choose a copy of it.");
  await copy("A").setInputFiles(file("camera-a.png"));
  assert.equal(
    await says("one shape"),
    "Pictures must have one shape to be compared, but these have 451 × 300 and 512 × 512 pixels: crop one.",
  );
  assert.equal(await page.locator("#results").isVisible(), false);
  await copy("A").setInputFiles(file("notes.txt")); // what was there stays
  await says("notes.txt");
});

test("pictures can be dropped, and everything is reached by keys", async () => {
  await empty();
  const transfer = await page.evaluateHandle(async (names) => {
    const made = new DataTransfer();
    for (const [name, bytes] of names) {
      made.items.add(new File([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))], name, { type: "image/png" }));
    }
    return made;
  }, await Promise.all(["cat-a.png", "cat-b.png"].map(async (name) => [name, await readFile(file(name), "base64")])));
  await page.dispatchEvent("body", "drop", { dataTransfer: transfer });
  near((await distances())[0], expected.cat.pixels.distance, "cat");

  await page.locator("body").click({ position: { x: 1, y: 1 } });
  const reached = new Set();
  for (let k = 0; k < 12; k++) {
    await page.keyboard.press("Tab");
    reached.add(await page.evaluate(() => document.activeElement.ariaLabel ?? document.activeElement.id ?? ""));
  }
  for (const name of ["Original", "Remove Original", "Copy A", "Copy B", "net", "Strength of the map"]) {
    assert.ok(reached.has(name), `${name} is not among ${[...reached]}`);
  }
  await page.getByLabel("Strength of the map").focus();
  await page.keyboard.press("Home");
  assert.equal(await page.locator("#over").evaluate((canvas) => canvas.style.opacity), "0");
  await page.keyboard.press("End");
  assert.equal(await page.locator("#over").evaluate((canvas) => canvas.style.opacity), "1");
});

test("on a telephone pictures are chosen by taps, and everything is legible, within the screen and as large as a fingertip", async () => {
  const phone = await browser.newContext(PHONE);
  const small = await opened(phone);
  for (const [name, which] of [["Original", "rocket-a.png"], ["Copy A", "rocket-b.png"], ["Copy B", "rocket-a.png"]]) {
    const [chooser] = await Promise.all([
      small.waitForEvent("filechooser"),
      small.getByLabel(name, { exact: true }).tap(),
    ]);
    await chooser.setFiles(file(which));
  }
  await small.waitForSelector(".card.closer");
  const found = await small.evaluate(() => {
    const seen = [...document.querySelectorAll("body *")].filter((each) => each.checkVisibility());
    const own = (each) => [...each.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim() !== "");
    // What a finger hits: a control, or the label around it.
    const targets = seen.filter((each) => each.matches("button, select, input"));
    const size = (each) => (["radio", "checkbox"].includes(each.type) ? each.closest("label") : each).getBoundingClientRect();
    return {
      width: document.documentElement.scrollWidth,
      smallest: Math.min(...seen.filter(own).map((each) => parseFloat(getComputedStyle(each).fontSize))),
      narrow: targets.filter((each) => Math.min(size(each).width, size(each).height) < 44).map((each) => each.outerHTML),
    };
  });
  await phone.close();
  assert.ok(found.width <= PHONE.viewport.width, `${found.width} px`);
  assert.ok(found.smallest >= 14, `letters of ${found.smallest} px`);
  assert.deepEqual(found.narrow, []);
});

test("the page works without its server, and never asks another", async () => {
  const asked = [];
  context.on("request", (request) => asked.push(request.url()));
  await page.reload();
  await server.close();
  await page.reload();
  await page.waitForSelector("[data-ready]");
  await original().setInputFiles([file("cat-a.png"), file("cat-b.png")]);
  near((await distances())[0], expected.cat.pixels.distance, "cat");
  const others = asked.filter((url) => !url.startsWith(server.address) && !url.startsWith("blob:"));
  assert.deepEqual(others, []);
});
