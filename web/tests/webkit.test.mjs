// The page in WebKit, where it is installed: what page.test.mjs tests at length, in short.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { threadsFor } from "../lib/network.js";
import { serve } from "./serving.mjs";
import { TAB, WebKit, missing } from "./webkit.mjs";

const root = join(import.meta.dirname, "..");
const file = (name) => join(root, "build/pairs", name);
const json = async (name) => JSON.parse(await readFile(file(name), "utf8"));

describe("the page in WebKit", { skip: await missing() }, async () => {
  const [expected, motions] = [await json("expected.json"), await json("motion.json")];
  let server, webkit;
  before(async () => {
    server = await serve(join(root, "dist"));
    webkit = await WebKit.start();
    await webkit.goto(server.address);
    await ready();
  });
  after(async () => {
    await webkit?.stop();
    await server?.close();
  });

  const ready = () => webkit.until(() => crossOriginIsolated && document.documentElement.dataset.ready !== undefined);
  const choose = (slot, ...names) => webkit.type(`#slot-${slot}`, names.map(file).join("\n"));
  const text = (selector) => webkit.run((its) => document.querySelector(its)?.textContent, selector);
  const says = (words) =>
    webkit.until((its) => new RegExp(its).test(document.getElementById("status").textContent), words.source);

  async function empty() {
    await webkit.run(() => document.querySelectorAll(".slot.filled button").forEach((remove) => remove.click()));
    await says(/^Choose the original and a copy of it\.$/);
  }

  /** The distances of the only pictures that the page has. */
  async function compared(...names) {
    await empty();
    await choose("original", ...names);
    return distances();
  }

  async function distances() {
    await says(/^Compared/);
    return webkit.run(() => [...document.querySelectorAll(".distance")].map((each) => Number(each.dataset.distance)));
  }

  function near(found, wanted, what) {
    assert.ok(Math.abs(found - wanted) <= 1e-3 * wanted, `${what}: ${found}, but Python says ${wanted}`);
  }

  for (const net of ["alex", "alex-32", "pixels"]) {
    test(`two photographs with ${net} are as far apart as in Python`, async () => {
      await webkit.click(`#net option[value=${net}]`);
      const [distance] = await compared("cat-a.png", "cat-b.png");
      near(distance, expected.cat[net].distance, "cat");
      // WebKitGTK 2.50 has no SharedArrayBuffer, though the page is isolated, but with JSC_useSharedArrayBuffer=1.
      const processors = await webkit.run(() => (typeof SharedArrayBuffer === "undefined" ? 1 : navigator.hardwareConcurrency));
      const threads = threadsFor(processors) === 1 ? "1 thread" : `${threadsFor(processors)} threads`;
      assert.equal(await text("#engine"), `Runs on the CPU (WebAssembly, ${threads}) of this device.`);
    });
  }

  test("what moved is said in Python's words, drawn and undone, until a key says otherwise", async () => {
    const [distance] = await compared("all at once-a.png", "all at once-b.png");
    near(distance, motions["all at once"].pixels.distance, "all at once");
    const words = motions["all at once"].pixels.text.split("; ").slice(0, 2).join("; ");
    assert.equal((await text(".card .moved")).toLowerCase(), `${words}.`);
    const drawn = () => webkit.run(() => document.querySelector("#moved .arrows .line").checkVisibility());
    assert.equal(await drawn(), true);
    assert.match(await text("#legend"), /Arrows lead from where/);
    const colours = await webkit.run(() => {
      const { width, height } = document.getElementById("over");
      const { data } = document.getElementById("over").getContext("2d").getImageData(0, 0, width, height);
      return new Set(data).size;
    });
    assert.ok(colours > 20, `the map has ${colours} values`);
    await webkit.run(() => document.getElementById("motion").focus());
    await webkit.press(" ");
    await webkit.until(() => document.querySelector(".card .moved") === null);
    assert.equal(await drawn(), false);
    await webkit.press(" ");
    await webkit.until(() => document.querySelector(".card .moved") !== null);
  });

  test("a third picture ranks two copies, and everything is reached by keys", async () => {
    await compared("astronaut-a.png", "astronaut-b.png", "tissue-b.png");
    assert.match(await text(".card.closer"), /^Copy A.*closer to the original/);
    await webkit.run(() => document.getElementById("slot-original").focus());
    const reached = [];
    for (let k = 0; k < 12; k++) {
      reached.push(await webkit.run(() => document.activeElement.ariaLabel ?? document.activeElement.id));
      await webkit.press(TAB);
    }
    for (const name of ["Original", "Remove Original", "Copy A", "Copy B", "net", "motion", "Strength of the map"]) {
      assert.ok(reached.includes(name), `${name} is not among ${reached}`);
    }
  });

  test("EXIF turns a photograph, and 4K is brought down as in Python", async () => {
    const [turned] = await compared("coffee-a.png", "turned.jpg");
    assert.ok(turned < 0.1, `a JPEG of quality 95 is ${turned} from the picture it was made of`);
    const [large] = await compared("4k-a.png", "4k-b.png");
    near(large, expected["4k"].pixels.distance, "4k");
  });

  test("a file that is no picture gets one sentence, and pictures can be dropped", async () => {
    await empty();
    await choose("original", "notes.txt");
    await says(/^“notes.txt” is not a picture that this browser can read: choose a JPEG, [^.]*\.$/);
    const files = await Promise.all(["cat-a.png", "cat-b.png"].map(async (name) => [name, await readFile(file(name), "base64")]));
    await webkit.run((dropped) => {
      const dataTransfer = new DataTransfer();
      for (const [name, bytes] of dropped) {
        dataTransfer.items.add(new File([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))], name, { type: "image/png" }));
      }
      document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true }));
    }, files);
    near((await distances())[0], expected.cat.pixels.distance, "cat");
  });

  test("the page works without its server", async () => {
    await server.close();
    await webkit.reload();
    await ready();
    const [distance] = await compared("cat-a.png", "cat-b.png");
    near(distance, expected.cat.pixels.distance, "cat");
  });
});
