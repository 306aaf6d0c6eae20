// How long the page takes from two dropped photographs of a megapixel to their distance:
//
//     node measure.mjs [ROUNDS]     after `make web` and tests/make_pairs.py; writes ../benchmarks/results/browser.json

import { readFile, writeFile } from "node:fs/promises";
import { loadavg, cpus } from "node:os";
import { join } from "node:path";
import { PHONE, launch } from "./tests/browsers.mjs";
import { serve } from "./tests/serving.mjs";

const here = import.meta.dirname;
const rounds = Number(process.argv[2] ?? 5);
const files = await Promise.all(
  ["a", "b"].map((side) => readFile(join(here, `build/pairs/megapixel-${side}.jpg`), "base64")),
);
const server = await serve(join(here, "dist"));
const browser = await launch();
const system = await browser.newBrowserCDPSession();

/** CPU time of all of the browser's processes, in seconds. */
async function used() {
  const { processInfo } = await system.send("SystemInfo.getProcessInfo");
  return processInfo.reduce((sum, { cpuTime }) => sum + cpuTime, 0);
}

/** Drops the pictures and waits for a card; seconds on the clock and on the processors. */
async function drop(page) {
  const before = await used();
  const wall = await page.evaluate(async (bytes) => {
    const transfer = new DataTransfer();
    for (const [k, each] of bytes.entries()) {
      const file = Uint8Array.from(atob(each), (c) => c.charCodeAt(0));
      transfer.items.add(new File([file], `${k}.jpg`, { type: "image/jpeg" }));
    }
    const start = performance.now();
    const shown = new Promise((done) => {
      const observer = new MutationObserver(() => {
        observer.disconnect();
        done();
      });
      observer.observe(document.getElementById("cards"), { childList: true });
    });
    dispatchEvent(new DragEvent("drop", { dataTransfer: transfer }));
    await shown;
    return (performance.now() - start) / 1000;
  }, files);
  return { wall, cpu: (await used()) - before };
}

/** How much slower than here the emulated telephone's page runs. */
const SLOWED_DOWN = 4;

const summary = (found, key) => {
  const sorted = found.map((each) => each[key]).sort((a, b) => a - b);
  return { least: sorted[0], median: sorted[Math.floor(sorted.length / 2)] };
};

const cases = {};
for (const [net, threads] of [["pixels", 1], ["pixels", 2], ["alex", 1], ["alex", 2], ["alex-32", 1]]) {
  const first = [];
  const again = [];
  let runsOn = "";
  for (let round = 0; round < rounds; round++) {
    const context = await browser.newContext();
    const page = await context.newPage();
    page.setDefaultTimeout(120_000); // on a machine with other work
    await page.goto(`${server.address}?threads=${threads}`);
    await page.waitForFunction(() => crossOriginIsolated);
    await page.getByLabel("Network").selectOption(net);
    await page.waitForSelector(`[data-warm=${net}]`); // what a page does while somebody looks for pictures
    first.push(await drop(page));
    again.push(await drop(page));
    runsOn = await page.textContent("#engine");
    await context.close();
  }
  cases[`${net}, ${threads} thread${threads > 1 ? "s" : ""}`] = {
    runs_on: runsOn,
    first: { seconds: summary(first, "wall"), cpu_seconds: summary(first, "cpu") },
    again: { seconds: summary(again, "wall"), cpu_seconds: summary(again, "cpu") },
  };
}

// A telephone's screen, touch and slow processor, as far as Chromium emulates them: its workers aren't slowed down.
const chosen = [];
for (let round = 0; round < rounds; round++) {
  const context = await browser.newContext(PHONE);
  const page = await context.newPage();
  page.setDefaultTimeout(120_000);
  await page.goto(server.address);
  await page.waitForFunction(() => crossOriginIsolated);
  await page.waitForSelector("[data-warm=pixels]");
  const session = await context.newCDPSession(page);
  await session.send("Emulation.setCPUThrottlingRate", { rate: SLOWED_DOWN });
  const choose = async (name, side) => {
    const [chooser] = await Promise.all([
      page.waitForEvent("filechooser"),
      page.getByLabel(name, { exact: true }).tap(),
    ]);
    await chooser.setFiles(join(here, `build/pairs/megapixel-${side}.jpg`));
  };
  await choose("Original", "a");
  await page.getByText("Choose a copy of it.").waitFor();
  const before = await used();
  const start = performance.now();
  await choose("Copy A", "b");
  await page.waitForSelector(".card");
  chosen.push({ wall: (performance.now() - start) / 1000, cpu: (await used()) - before });
  await context.close();
}

const { dependencies } = JSON.parse(await readFile(join(here, "package.json"), "utf8"));
const result = {
  command: `node measure.mjs ${rounds}`,
  date: `${new Date().toISOString().slice(0, 16).replace("T", " ")} UTC`,
  versions: { ...dependencies, chromium: browser.version(), node: process.versions.node },
  machine: { processor: cpus()[0].model, cores: cpus().length, load: loadavg().map((load) => Math.round(load * 10) / 10) },
  pictures: "two JPEG files of 1024 x 1024 pixels",
  rounds,
  cases,
  telephone: {
    emulated: `390 x 844 pixels, touch, the page's own thread slowed down ${SLOWED_DOWN} times`,
    from_the_second_choice: { seconds: summary(chosen, "wall"), cpu_seconds: summary(chosen, "cpu") },
  },
};
await writeFile(join(here, "../benchmarks/results/browser.json"), `${JSON.stringify(result, null, 1)}\n`);
await browser.close();
await server.close();
