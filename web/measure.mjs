// How long the page takes from two dropped photographs of a megapixel to their distance:
//
//     node measure.mjs [ROUNDS]     after `make web` and tests/make_pairs.py; writes ../benchmarks/results/browser.json

import { readFile, writeFile } from "node:fs/promises";
import { loadavg, cpus } from "node:os";
import { join } from "node:path";
import { PHONE, launch, missing, ready } from "./tests/browsers.mjs";
import { serve } from "./tests/serving.mjs";
import { WebKit, missing as missingWebKit } from "./tests/webkit.mjs";

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

/** In a page: drops the pictures and waits for a card; seconds on the clock. */
async function drop(bytes) {
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
}

/** Drops the pictures in Chromium: seconds on the clock and on the processors. */
async function timed(page) {
  const before = await used();
  const wall = await page.evaluate(drop, files);
  return { wall, cpu: (await used()) - before };
}

/** How much slower than here the emulated telephone's page runs. */
const SLOWED_DOWN = 4;

const summary = (found, key) => {
  const sorted = found.map((each) => each[key]).sort((a, b) => a - b);
  return { least: sorted[0], median: sorted[Math.floor(sorted.length / 2)] };
};

const cases = {};
for (const [net, threads] of [["pixels", 1], ["pixels", 2], ["alex", 1], ["alex", 2], ["alex-32", 1], ["alex-32", 2]]) {
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
    first.push(await timed(page));
    again.push(await timed(page));
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

async function firefox() {
  const its = await launch("firefox");
  const page = await its.newPage();
  page.setDefaultTimeout(120_000);
  return {
    version: its.version(),
    async goto(url) {
      await page.goto(url);
      await ready(page, "firefox");
    },
    run: (asked, arg) => page.evaluate(asked, arg),
    until: (asked, arg) => page.waitForFunction(asked, arg),
    stop: () => its.close(),
  };
}

// Other browsers, where they are installed: by the clock, with the threads that the page takes by itself.
const others = {};
for (const [name, lacking, start] of [["firefox", await missing("firefox"), firefox], ["webkit", await missingWebKit(), WebKit.start]]) {
  if (lacking !== undefined) {
    console.warn(`Not measured: ${lacking}`);
    continue;
  }
  const its = await start();
  others[name] = { version: its.version, cases: {} };
  for (const net of ["pixels", "alex", "alex-32"]) {
    const first = [];
    const again = [];
    let runsOn = "";
    for (let round = 0; round < rounds; round++) {
      await its.goto(server.address);
      await its.until(() => crossOriginIsolated && document.documentElement.dataset.ready !== undefined);
      await its.run((chosen) => {
        document.getElementById("net").value = chosen;
        document.getElementById("net").dispatchEvent(new Event("change"));
      }, net);
      await its.until((chosen) => document.documentElement.dataset.warm === chosen, net);
      first.push({ wall: await its.run(drop, files) });
      again.push({ wall: await its.run(drop, files) });
      runsOn = await its.run(() => document.getElementById("engine").textContent);
    }
    others[name].cases[net] = {
      runs_on: runsOn,
      first: { seconds: summary(first, "wall") },
      again: { seconds: summary(again, "wall") },
    };
  }
  await its.stop();
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
  other_browsers: others,
  telephone: {
    emulated: `390 x 844 pixels, touch, the page's own thread slowed down ${SLOWED_DOWN} times`,
    from_the_second_choice: { seconds: summary(chosen, "wall"), cpu_seconds: summary(chosen, "cpu") },
  },
};
await writeFile(join(here, "../benchmarks/results/browser.json"), `${JSON.stringify(result, null, 1)}\n`);
await browser.close();
await server.close();
