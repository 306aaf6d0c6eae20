// The page in Chromium (or the browser that BROWSER names), driven as a person does, against Python's numbers.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { PHONE, chosenBrowser, launch, ready } from "./browsers.mjs";
import { serve } from "./serving.mjs";

const root = join(import.meta.dirname, "..");
const pairs = join(root, "build/pairs");
const expected = JSON.parse(await readFile(join(pairs, "expected.json"), "utf8"));
const names = Object.keys(expected).filter((name) => name !== "4k");
const motions = JSON.parse(await readFile(join(pairs, "motion.json"), "utf8"));
const file = (name) => join(pairs, name);
const inChromium = chosenBrowser() === "chromium";

let server, browser, context, page;
before(async () => {
  server = await serve(join(root, "dist"));
  browser = await launch();
  context = await browser.newContext();
  page = await opened(context, "?threads=2");
  await follow(false);
});
after(async () => {
  await browser?.close();
  await server?.close();
});

async function opened(its, search = "") {
  const made = await its.newPage();
  made.setDefaultTimeout(45_000);
  await made.goto(server.address + search);
  await ready(made);
  return made;
}

const original = () => page.getByLabel("Original", { exact: true });
const copy = (which) => page.locator(`input[type=file][aria-label^="Copy ${which}"]`);

/** The distances shown, once the page has compared what it has now. */
async function distances() {
  await says(/^Compared/);
  return page.$$eval(".distance", (found) => found.map((each) => Number(each.dataset.distance)));
}

/** Whether the page looks for what moved; it does unless told otherwise. */
async function follow(motion) {
  await page.getByLabel("Find what moved").setChecked(motion);
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
  const compared = inChromium || net === "pixels" ? names : ["cat"]; // where a network is slower, one says enough
  test(`${compared.length} photographs with ${net} are as far apart as in Python`, async () => {
    assert.equal(names.length, 10);
    await page.getByLabel("Network").selectOption(net);
    for (const name of compared) {
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

test("what moved is said in Python's words, drawn, undone, and reached by keys", async () => {
  await page.getByLabel("Network").selectOption("pixels");
  await follow(true);
  for (const name of ["up", "all at once", "under noise", "JPEG only", "unrelated"]) {
    await empty();
    await original().setInputFiles([file(`${name}-a.png`), file(`${name}-b.png`)]);
    const wanted = motions[name].pixels;
    near((await distances())[0], wanted.distance, name);
    assert.equal(await sentence(), inWords(wanted));
    assert.equal(await page.locator("#moved").isVisible(), wanted.found, name);
    assert.equal(await page.getByLabel("Arrows").isVisible(), wanted.found, name);
  }

  await empty();
  await original().setInputFiles([file("right-a.png"), file("right-b.png")]);
  await distances();
  const [right, down, right2] = await drawn();
  assert.ok(right > 0 && Math.abs(down) < 1 && right2 > 0, "arrows point to the right");
  assert.ok((await strongest()) < 20, "nothing but the motion has changed"); // of 255
  assert.match(await page.textContent("#legend"), /once what moved is undone.* Arrows lead from where a point is in the original to where it is in the copy, drawn 2 times as long;/);
  await page.getByLabel("Arrows").uncheck();
  assert.equal(await page.locator("#moved").isVisible(), false);
  assert.doesNotMatch(await page.textContent("#legend"), /Arrows|dashes/);
  await page.getByLabel("Arrows").check();

  await page.getByLabel("Find what moved").focus();
  await page.keyboard.press("Space"); // what was compared is compared again, as it lies
  await page.waitForFunction(() => document.querySelector(".moved") === null);
  assert.equal(await page.locator("#moved").isVisible(), false);
  assert.ok((await strongest()) > 100);
  await page.keyboard.press("Space");
  await page.waitForSelector(".card .moved");
  assert.equal(await sentence(), inWords(motions.right.pixels));
});

test("the map of what is left lies over what has changed, in the original and in the copy", async () => {
  await follow(true);
  await empty();
  await original().setInputFiles([file("patched-a.png"), file("patched-b.png")]);
  await distances();
  const places = [];
  for (const over of ["the original", "the copy"]) {
    await page.getByLabel(over).check();
    places.push(await middle());
  }
  const [x, y] = places[1];
  assert.ok(Math.hypot(x - 224.5, y - 204.5) < 10, `a patch around 224.5, 204.5 of the copy is shown around ${x}, ${y}`);
  assert.ok(Math.abs(x - places[0][0] - 40) < 2, `${places[0]} in the original`);
  await page.getByLabel("the original").check();
});

test("exchanged pictures moved the other way, and two copies are ranked by what is left", async () => {
  await follow(true);
  await empty();
  await original().setInputFiles([file("right-b.png"), file("right-a.png"), file("far and turned-b.png")]);
  const [moved, another] = await distances();
  near(moved, motions.right.pixels.distance, "right, exchanged");
  assert.ok(moved < another);
  assert.equal(await sentence(), inWords(motions.right.pixels).replace("to the right", "to the left"));
  assert.match(await page.textContent(".card.closer"), /Copy A.*closer to the original/);
  const [right] = await drawn();
  assert.ok(right < 0, "arrows point to the left");
  await page.getByLabel("Copy B", { exact: true }).last().check();
  assert.equal(await page.locator("#moved").isVisible(), false);
  await follow(false);
});

/** What Python says of a motion, without the numbers that a card shows by itself. */
function inWords({ text, found }) {
  return text.split("; ").slice(0, found ? 2 : 1).join("; ");
}

/** What the first card says of a motion, as Python does. */
async function sentence() {
  const said = await page.textContent(".card .moved");
  assert.equal((await page.textContent(".card")).match(/just noticeable/g).length, 1); // no number twice
  return `${said[0].toLowerCase()}${said.slice(1, -1)}`;
}

/** How far the first and the second arrow go: to the right, and down. */
async function drawn() {
  const path = await page.locator("#moved .arrows .line").getAttribute("d");
  const shafts = [...path.matchAll(/M(\S+) (\S+)L(\S+) (\S+)M/g)].slice(0, 2).map((found) => found.slice(1).map(Number));
  return shafts.flatMap(([x, y, toX, toY]) => [toX - x, toY - y]);
}

/** The centre of what the map shows more than faintly. */
async function middle() {
  return page.evaluate(() => {
    const { width, height } = document.getElementById("over");
    const { data } = document.getElementById("over").getContext("2d").getImageData(0, 0, width, height);
    const most = data.reduce((most, value, k) => (k % 4 === 3 ? Math.max(most, value) : most), 0);
    let [x, y, weights] = [0, 0, 0];
    for (let k = 0; k < width * height; k++) {
      const weight = Math.max(0, data[4 * k + 3] - most / 2);
      x += weight * (k % width);
      y += weight * Math.floor(k / width);
      weights += weight;
    }
    return [x / weights, y / weights];
  });
}

/** The greatest opacity of the map. */
async function strongest() {
  return page.evaluate(() => {
    const { width, height } = document.getElementById("over");
    const { data } = document.getElementById("over").getContext("2d").getImageData(0, 0, width, height);
    return data.reduce((most, value, k) => (k % 4 === 3 ? Math.max(most, value) : most), 0);
  });
}

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
  assert.match(await says(/^“notes.txt”/), /^“notes.txt” is not a picture that this browser can read: choose a JPEG, [^.]*\.$/);
  await original().setInputFiles(file("cat-a.png"));
  await says("Choose a copy of it.");
  await copy("A").setInputFiles(file("camera-a.png"));
  assert.equal(
    await says("one shape"),
    "Pictures must have one shape to be compared, but these have 451 × 300 and 512 × 512 pixels: crop one.",
  );
  assert.equal(await page.locator("#results").isVisible(), false);
});

test("where a file is refused, no result of the pictures before is shown", async () => {
  await empty();
  await original().setInputFiles([file("cat-a.png"), file("cat-b.png")]);
  await distances();
  await copy("A").setInputFiles([file("notes.txt"), file("expected.json")]);
  assert.match(await says(/^“notes.txt”/), /^“notes.txt” is not a picture [^.]*\. “expected.json” is not a picture [^.]*\.$/);
  assert.equal(await page.locator("#results").isVisible(), false);
  const shown = await page.$$eval(".slot", (slots) => slots.map((slot) => [slot.querySelector("img").checkVisibility(), slot.innerText]));
  assert.deepEqual(shown.map(([picture]) => picture), [true, false, false]);
  assert.match(shown[1][1], /^Copy A\s+Choose or drop a picture$/); // neither the cat nor its name
  await original().setInputFiles([file("rocket-a.png"), file("notes.txt")]); // a rocket is not compared with the cat
  await says(/^“notes.txt”/);
  assert.equal(await page.locator("#results").isVisible(), false);
  await original().setInputFiles([file("cat-a.png"), file("cat-b.png")]);
  near((await distances())[0], expected.cat.pixels.distance, "cat");
  await original().setInputFiles([file("cat-a.png"), file("notes.txt"), file("cat-b.png")]); // what can be compared is
  await says(/^“notes.txt”/);
  await page.waitForFunction(() => document.getElementById("results").ariaBusy === "false");
  assert.match(await page.textContent(".card"), /^Copy B/);
});

test("where a browser alters what is read of a picture, no distance is shown", async () => {
  // As Firefox does with privacy.resistFingerprinting; here one bit of one value, in the worker that reads pictures.
  const altered = `{
    const { prototype } = OffscreenCanvasRenderingContext2D;
    const read = prototype.getImageData;
    prototype.getImageData = function (...area) {
      const image = read.apply(this, area);
      image.data[4 * 100] ^= 1;
      return image;
    };
  }`;
  const fresh = await browser.newContext({ serviceWorkers: "block" });
  const wary = await fresh.newPage();
  await wary.route(/worker\.js/, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: altered + (await response.text()) });
  });
  await wary.goto(server.address);
  await wary.getByLabel("Original", { exact: true }).setInputFiles([file("cat-a.png"), file("cat-a.png")]);
  await wary.locator("#status.error", { hasText: /^No distance would be right here: [^.]*\.$/ }).waitFor();
  assert.equal(await wary.locator("#results").isVisible(), false);
  await fresh.close();
});

test("small pictures are enlarged, tall ones keep their shape, and a long name leaves its size in sight", async () => {
  await empty();
  const made = await page.evaluateHandle(async () => {
    const transfer = new DataTransfer();
    for (const [name, width, height] of [["a picture with quite a long name ".repeat(4), 72, 64], ["b", 72, 64]]) {
      const canvas = new OffscreenCanvas(width, height);
      canvas.getContext("2d").fillRect(name.length % 7, 9, 30, 20);
      transfer.items.add(new File([await canvas.convertToBlob()], `${name}.png`, { type: "image/png" }));
    }
    return transfer;
  });
  await page.dispatchEvent("body", "drop", { dataTransfer: made });
  await distances();
  const shown = () => page.locator("#under").evaluate((image) => {
    const { width, height } = image.getBoundingClientRect();
    return { width, ratio: width / height, rendering: getComputedStyle(document.getElementById("over")).imageRendering };
  });
  const { width, ratio, rendering } = await shown();
  assert.deepEqual([width, rendering, ratio.toFixed(3)], [360, "pixelated", "1.125"]);
  for (const viewport of [{ width: 400, height: 800 }, { width: 1280, height: 720 }]) {
    await page.setViewportSize(viewport);
    const places = await page.evaluate(() => {
      const [name, size] = document.querySelectorAll(".slot .hint span");
      const { right } = name.closest("label").getBoundingClientRect();
      return {
        cut: name.scrollWidth > name.clientWidth,
        size: size.textContent,
        inside: size.getBoundingClientRect().right <= right && right <= innerWidth,
      };
    });
    assert.deepEqual(places, { cut: true, size: "· 72 × 64", inside: true });
  }

  await page.setViewportSize({ width: 1280, height: 500 });
  await empty();
  await original().setInputFiles([file("camera-a.png"), file("camera-b.png")]);
  await distances();
  assert.deepEqual(await shown(), { width: 375, ratio: 1, rendering: "auto" });
  await page.setViewportSize({ width: 1280, height: 720 });
});

test("while pictures are read and compared, results before are dimmed", async () => {
  await empty();
  await original().setInputFiles([file("cat-a.png"), file("cat-b.png")]);
  await distances();
  const results = page.locator("#results");
  const look = (element) => [element.ariaBusy, Number(getComputedStyle(element).opacity)];
  assert.deepEqual(await results.evaluate(look), ["false", 1]);
  const during = await page.evaluate(() => {
    document.getElementById("motion").click();
    const results = document.getElementById("results");
    return [results.ariaBusy, Number(getComputedStyle(results).opacity)];
  });
  assert.deepEqual([during[0], during[1] < 0.5], ["true", true]);
  await distances();
  assert.deepEqual(await results.evaluate(look), ["false", 1]);
  await follow(false);
});

test("the first visit is not loaded again once somebody has begun to use it", async () => {
  for (const event of ["pointerdown", "keydown"]) {
    const fresh = await browser.newContext();
    const first = await fresh.newPage();
    await first.addInitScript(
      (kind) => addEventListener("DOMContentLoaded", () => document.body.dispatchEvent(new Event(kind, { bubbles: true }))),
      event,
    );
    await first.goto(`${server.address}?threads=2`);
    await first.evaluate(() => (globalThis.here = navigator.serviceWorker.ready));
    await first.waitForSelector("[data-ready]");
    await first.waitForTimeout(300);
    assert.deepEqual(await first.evaluate(() => ["here" in globalThis, crossOriginIsolated]), [true, false], event);
    assert.match(await first.textContent("#engine"), /WebAssembly, 1 thread\)/); // as it has no others
    await fresh.close();
  }
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
  for (const name of ["Original", "Remove Original", "Copy A", "Copy B", "net", "motion", "Strength of the map"]) {
    assert.ok(reached.has(name), `${name} is not among ${[...reached]}`);
  }
  await page.getByLabel("Strength of the map").focus();
  await page.keyboard.press("Home");
  assert.equal(await page.locator("#over").evaluate((canvas) => canvas.style.opacity), "0");
  await page.keyboard.press("End");
  assert.equal(await page.locator("#over").evaluate((canvas) => canvas.style.opacity), "1");
});

const touch = { skip: !inChromium && "only Chromium emulates a telephone" };
test("on a telephone pictures are chosen by taps, and everything is legible, within the screen and as large as a fingertip", touch, async () => {
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
    const select = document.getElementById("net");
    const pen = document.createElement("canvas").getContext("2d");
    pen.font = getComputedStyle(select).font;
    const room = select.clientWidth - 24; // for its arrow
    return {
      width: document.documentElement.scrollWidth,
      cut: [...select.options].map(({ text }) => text).filter((text) => pen.measureText(text).width > room),
      smallest: Math.min(...seen.filter(own).map((each) => parseFloat(getComputedStyle(each).fontSize))),
      narrow: targets.filter((each) => Math.min(size(each).width, size(each).height) < 44).map((each) => each.outerHTML),
    };
  });
  await phone.close();
  assert.ok(found.width <= PHONE.viewport.width, `${found.width} px`);
  assert.ok(found.smallest >= 14, `letters of ${found.smallest} px`);
  assert.deepEqual([found.narrow, found.cut], [[], []]);
});

test("the page works without its server, and never asks another", async () => {
  const asked = [];
  context.on("request", (request) => asked.push(request.url()));
  await page.reload();
  const fresh = await browser.newContext();
  const another = await opened(fresh);
  await server.close();
  await page.reload();
  await ready(page);
  await original().setInputFiles([file("cat-a.png"), file("cat-b.png")]);
  near((await distances())[0], expected.cat.pixels.distance, "cat");
  await another.getByLabel("Network").selectOption("alex"); // which only the other context has used
  const status = another.locator("#status.error", { hasText: /^Network alex is not on this device yet: use it once while online, [^.]*\.$/ });
  await status.waitFor();
  await fresh.close();
  const others = asked.filter((url) => !url.startsWith(server.address) && !url.startsWith("blob:"));
  assert.deepEqual(others, []);
});
