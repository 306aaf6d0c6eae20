// How much of a processor it takes to find what moved between two pictures of a megapixel, and to undo it, in Node:
//
//     node measure-motion.mjs [ROUNDS]     after `make web` and tests/make_pairs.py; writes ../benchmarks/results/browser_motion.json

import { readFile, writeFile } from "node:fs/promises";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { compensated, estimateMotion, load, toPlanes } from "invariant-lpips";

const here = import.meta.dirname;
const rounds = Number(process.argv[2] ?? 5);
const side = 1024;

async function picture(name) {
  return toPlanes({ data: await readFile(join(here, `build/pairs/${name}.rgba`)), width: side, height: side });
}

const [original, jpeg, scene, moved] = await Promise.all(
  ["megapixel-a", "megapixel-b", "megapixel-moved-a", "megapixel-moved-b"].map(picture),
);
const metric = await load(join(here, "models/pixels.onnx"), { threads: 1 });

/** Seconds of the processors' time, least and median; the steps take turns. */
const steps = {
  "find, unmoved": () => estimateMotion(original, jpeg),
  "find, moved": () => estimateMotion(scene, moved),
  "find, unrelated": () => estimateMotion(original, moved),
  undo: (motion) => compensated(scene, moved, motion),
  "read one picture with pixels": () => metric.read(original),
};
const motion = estimateMotion(scene, moved);
const seconds = Object.fromEntries(Object.keys(steps).map((name) => [name, []]));
for (let round = 0; round <= rounds; round++) {
  for (const [name, step] of Object.entries(steps)) {
    const before = process.cpuUsage();
    await step(motion);
    const { user, system } = process.cpuUsage(before);
    if (round > 0) seconds[name].push((user + system) / 1e6); // the first compiles
  }
}
await metric.close();

const { version } = JSON.parse(await readFile(join(here, "node_modules/onnxruntime-web/package.json"), "utf8"));
const result = {
  command: `node measure-motion.mjs ${rounds}`,
  date: `${new Date().toISOString().slice(0, 16).replace("T", " ")} UTC`,
  versions: { "onnxruntime-web": version, node: process.versions.node },
  machine: { processor: cpus()[0].model, cores: cpus().length, load: loadavg().map((load) => Math.round(load * 10) / 10) },
  pictures: "pairs of 1024 x 1024 pixels; one thread",
  rounds,
  cpu_seconds: Object.fromEntries(
    Object.entries(seconds).map(([name, all]) => {
      const sorted = all.sort((a, b) => a - b);
      return [name, { least: sorted[0], median: sorted[Math.floor(rounds / 2)] }];
    }),
  ),
};
await writeFile(join(here, "../benchmarks/results/browser_motion.json"), `${JSON.stringify(result, null, 1)}\n`);
console.log(result.cpu_seconds);
