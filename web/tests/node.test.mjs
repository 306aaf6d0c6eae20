// The npm package in Node: Python's numbers, and refusals.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Motion, Shrinking, compensated, estimateMotion, load, toPlanes } from "invariant-lpips";
import { threadsFor } from "../lib/network.js";

const root = new URL("../", import.meta.url);
const expected = JSON.parse(await readFile(new URL("build/pairs/expected.json", root), "utf8"));
const names = Object.keys(expected).filter((name) => name !== "4k");
const motions = JSON.parse(await readFile(new URL("build/pairs/motion.json", root), "utf8"));
const metric = await load(new URL("models/pixels.onnx", root));
after(() => metric.close());

async function picture(name, side) {
  const { width, height } = expected[name] ?? motions[name];
  return { data: await readFile(new URL(`build/pairs/${name}-${side}.rgba`, root)), width, height };
}

function near(found, wanted, relative, what) {
  assert.ok(Math.abs(found - wanted) <= relative * Math.abs(wanted), `${what}: ${found}, but Python says ${wanted}`);
}

test("ten distances are Python's", async () => {
  assert.equal(names.length, 10);
  for (const name of names) {
    const distance = await metric.distance(await picture(name, "a"), await picture(name, "b"));
    near(distance, expected[name].pixels.distance, 1e-3, name);
    near(metric.jnd(distance), expected[name].pixels.jnd, 1e-3, name);
  }
});

test("threads are both of two processors, half of more, and at most four", () => {
  assert.deepEqual([1, 2, 3, 4, 6, 8, 64].map(threadsFor), [1, 2, 2, 2, 3, 4, 4]);
  assert.equal(metric.threads, threadsFor(availableParallelism()));
});

test("a second model runs with the threads of the first, and says so", async () => {
  const second = await load(new URL("models/pixels.onnx", root), { threads: metric.threads + 1 });
  assert.equal(second.threads, metric.threads);
  await second.close();
});

test("a map is Python's, and its mean is the squared distance", async () => {
  const [a, b] = [await metric.read(await picture("rocket", "a")), await metric.read(await picture("rocket", "b"))];
  const { data, width, height } = await metric.map(a, b);
  near(data.reduce((sum, value) => sum + value, 0) / data.length, (await metric.distance(a, b)) ** 2, 1e-5, "mean");
  const wanted = expected.rocket.pixels.map;
  const highest = Math.max(...wanted);
  const side = Math.sqrt(wanted.length);
  wanted.forEach((value, k) => {
    const [row, column] = [Math.floor(k / side), k % side];
    const [y, x] = [row, column].map((at, axis) => Math.floor(((2 * at + 1) * [height, width][axis]) / (2 * side)));
    assert.ok(Math.abs(data[y * width + x] - value) <= 1e-3 * highest, `at ${x}, ${y}: ${data[y * width + x]}, ${value}`);
  });
});

test("alex from bytes", async () => {
  const alex = await load(await readFile(new URL("models/alex.onnx", root)));
  const distance = await alex.distance(await picture("cat", "a"), await picture("cat", "b"));
  near(distance, expected.cat.alex.distance, 1e-3, "cat");
  const [own, foreign] = [await alex.read(await picture("cat", "a")), await metric.read(await picture("cat", "b"))];
  for (const mixed of [alex.distance(own, foreign), metric.map(own, foreign), alex.compare(own, foreign)]) {
    await assert.rejects(mixed, { name: "TypeError", message: /^A reading can be compared by the model that read it only/ });
  }
  same(await alex.compare(...(await both("up")), { motion: "similarity" }), motions.up.alex, "up");
  await alex.close();
});

async function both(name) {
  return Promise.all(["a", "b"].map((side) => picture(name, side)));
}

/** A comparison is what Python says of it: the same claim, shifts to .05 px, distances to 1e-3. */
function same(found, wanted, what) {
  assert.equal(found.found, wanted.found, what);
  near(found.distance, wanted.distance, 1e-3, what);
  within(found.appearance, wanted.appearance, 1e-3 * wanted.appearance + 1e-6, what); // nothing but rounding may be left
  near(found.jnd, wanted.jnd, 1e-3, what);
  near(found.motion, wanted.motion, 1e-3, what);
  found.shift.forEach((pixels, axis) => within(pixels, wanted.shift[axis], 0.05, `${what}, shift`));
  within(found.rotation, wanted.rotation, 0.005, `${what}, rotation`);
  within(found.zoom, wanted.zoom, 1e-4, `${what}, zoom`);
  within(found.overlap, wanted.overlap, 1e-3, `${what}, overlap`);
  within(found.confidence, wanted.confidence, 1e-3, `${what}, confidence`);
  found.matrix.flat().forEach((entry, k) => within(entry, wanted.matrix.flat()[k], 0.05, `${what}, matrix`));
}

function within(found, wanted, distance, what) {
  assert.ok(Math.abs(found - wanted) <= distance, `${what}: ${found}, but Python says ${wanted}`);
}

test("what moved is what Python says, in words too", async () => {
  const claimed = Object.values(motions).filter(({ pixels }) => pixels.found);
  assert.equal(claimed.length, 11);
  for (const [name, wanted] of Object.entries(motions)) {
    const comparison = await metric.compare(...(await both(name)), { motion: "similarity" });
    same(comparison, wanted.pixels, name);
    assert.equal(String(comparison), wanted.pixels.text);
    const { data } = comparison.map();
    const mean = data.reduce((sum, value) => sum + value, 0) / data.length;
    near(mean, comparison.appearance ** 2, 1e-5, `${name}, mean of the map`);
  }
});

test("the other order is exactly the inverse, and gives the same distance", async () => {
  for (const name of ["under noise", "all at once", "larger", "JPEG only", "stripes", "equal"]) {
    const [a, b] = (await both(name)).map(toPlanes);
    const [there, back] = [estimateMotion(a, b), estimateMotion(b, a)];
    assert.equal(there.found, motions[name].pixels.found);
    assert.deepEqual(back, there.inverse());
    assert.deepEqual(back.inverse(), there);
  }
  const [a, b] = await both("all at once");
  const there = await metric.compare(a, b, { motion: "similarity" });
  const back = await metric.compare(b, a, { motion: "similarity" });
  near(back.distance, there.distance, 1e-5, "distance");
  const [[p, q, r], [s, t, u]] = back.matrix;
  const [[x], [y]] = there.matrix.map(([c, d, e]) => [c * 30 + d * 200 + e]);
  within(p * x + q * y + r, 30, 1e-9, "there and back");
  within(s * x + t * y + u, 200, 1e-9, "there and back");
});

test("a motion costs what its viewing conditions and network make it cost", async () => {
  const [a, b] = await Promise.all((await both("right")).map((each) => metric.read(each)));
  const near29 = await metric.compare(a, b, { motion: "similarity", pixelsPerDegree: 29 });
  same(near29, motions.right.pixels, "right");
  const at71 = await metric.compare(a, b, { motion: "similarity", pixelsPerDegree: 71 });
  near(at71.motion, (near29.motion * 29) / 71, 1e-6, "thresholds");
  assert.ok(at71.distance < near29.distance);
  const plain = await metric.compare(a, b);
  assert.equal(plain.distance, await metric.distance(a, b));
  assert.match(String(plain), /^motion not measured; looks [.\d]+ apart; [.\d]+ times just noticeable$/);
  const equal = await metric.compare(a, a, { motion: "similarity" });
  assert.deepEqual([equal.distance, equal.found, equal.confidence, ...equal.shift], [0, false, 1, 0, 0]);
});

test("where nothing is claimed both pictures stay what they are, and tiny ones are never claimed", async () => {
  const [a, b] = (await both("JPEG only")).map(toPlanes);
  const motion = estimateMotion(a, b);
  assert.deepEqual([motion.found, motion.zoom, motion.rotation, motion.overlap], [false, 1, 0, 1]);
  const sides = compensated(a, b, motion);
  assert.ok(sides[0] === a && sides[1] === b);
  assert.throws(() => compensated(a, b, Motion.none({ width: 64, height: 64 })), /that of pictures of 64 x 64, but one has 451 x 300/);
  const tiny = (level) => ({ planes: new Float32Array(3 * 15 * 90).fill(level), width: 90, height: 15 });
  assert.deepEqual(estimateMotion(tiny(0.2), tiny(0.4)), Motion.none({ width: 90, height: 15 }, 0));
});

test("equal pictures are 0 apart, and white is what transparency shows", async () => {
  const cat = await picture("cat", "a");
  assert.equal(await metric.distance(cat, cat), 0);
  const blank = (alpha, level) => ({
    data: new Uint8Array(4 * 64 * 64).map((_, k) => (k % 4 === 3 ? alpha : level)),
    width: 64,
    height: 64,
  });
  assert.equal(await metric.distance(blank(0, 10), blank(255, 255)), 0);
});

test("shrinking keeps means", () => {
  const shrinking = new Shrinking(5, 4, 3, 3);
  const rows = new Uint8Array(4 * 5 * 4).map((_, k) => (k % 4 === 3 ? 255 : (k * 37) % 256));
  shrinking.add(rows.subarray(0, 40));
  assert.throws(() => shrinking.planes(), /4 rows was expected, but got 2/);
  shrinking.add(rows.subarray(40));
  const { planes } = shrinking.planes();
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  near(mean(planes.subarray(0, 9)), mean(rows.filter((_, k) => k % 4 === 0)) / 255, 1e-6, "mean");
});

test("what is no picture is refused in a sentence", async () => {
  const cat = await picture("cat", "a");
  const rocket = await picture("rocket", "a");
  await assert.rejects(metric.distance(cat, rocket), /must have one size, but got 451 x 300 and 640 x 427; resize one/);
  await assert.rejects(metric.read("cat.png"), /must be like ImageData, .* but got string; decode files first/);
  await assert.rejects(metric.distance(cat, undefined), /but got undefined/);
  await assert.rejects(metric.read({ ...cat, width: 450 }), /4 values for each of its 450 x 300 pixels/);
  await assert.rejects(metric.read({ data: new Float32Array(4 * 64 * 64), width: 64, height: 64 }), /eight bits/);
  await assert.rejects(metric.read({ data: new Uint8Array(4 * 63 * 90), width: 63, height: 90 }), /at least 64 pixels/);
  await assert.rejects(metric.compare(cat, rocket, { motion: "similarity" }), /must have one size/);
  await assert.rejects(metric.compare(cat, cat, { motion: "affine" }), /`motion` must be "similarity" or left out, but got "affine"/);
  await assert.rejects(metric.compare(cat, cat, { pixelsPerDegree: 0 }), /`pixelsPerDegree` must be a number above 0, but got 0/);
  await assert.rejects(load(new URL("models/pixels.onnx", root), { device: "webgpu" }), /WebGPU/);
});

test("a model is loaded from its address as a string, its path, and what the package's name stands for", async () => {
  const address = import.meta.resolve("invariant-lpips/models/pixels.onnx");
  const [a, b] = await both("JPEG only");
  const distance = await metric.distance(a, b);
  for (const model of [address, fileURLToPath(address), new URL(address)]) {
    const its = await load(model);
    assert.equal(await its.distance(await metric.read(a), b), distance); // a reading of an equal model
    await its.close();
  }
});

test("what is no model is refused in a sentence", async () => {
  await assert.rejects(load(), /^TypeError: A model must be an address \(a string or a URL\) or bytes, but got undefined/);
  await assert.rejects(load(new URL("models/none.onnx", root)), /^Error: The model could not be read from file:.*none.onnx: ENOENT/);
  await assert.rejects(load(new URL("package.json", root)), /^Error: This is no model that web\/models.py makes, or it can't be run/);
});

test("options and distances that mean nothing are refused in a sentence", async () => {
  const model = new URL("models/pixels.onnx", root);
  await assert.rejects(load(model, { device: "foo" }), /`device` must be "auto", "webgpu" or "wasm", but got "foo"\./);
  for (const threads of [-1, 0, 1.5, "2"]) {
    await assert.rejects(load(model, { threads }), /`threads` must be a whole number above 0, but got /);
  }
  await assert.rejects(load(model, { thread: 2 }), /There is no option `thread`, only `device`, `threads`, `wasmPaths`\./);
  const cat = await picture("cat", "a");
  await assert.rejects(metric.compare(cat, cat, { pixelsPerDegree: "29" }), /must be a number above 0, but got "29"\./);
  await assert.rejects(metric.compare(cat, cat, { pixels_per_degree: 29 }), /There is no option `pixels_per_degree`/);
  await assert.rejects(metric.compare(cat, cat, "similarity"), /Options must be an object, but got "similarity"\./);
  for (const distance of [-1, NaN, Infinity, "x", undefined]) {
    assert.throws(() => metric.jnd(distance), /A distance must be a number from 0 on, but got /);
  }
  await assert.rejects(metric.distance({ ...cat, width: 450 }, cat), /4 values for each of its 450 x 300 pixels, but has 541200/);
});

test("a closed metric says so, and can be closed again", async () => {
  const its = await load(new URL("models/pixels.onnx", root));
  const reading = await its.read(await picture("cat", "a"));
  await its.close();
  await its.close();
  for (const use of [its.read(await picture("cat", "a")), its.distance(reading, reading), its.compare(reading, reading)]) {
    await assert.rejects(use, /^Error: This metric was closed; load it again\.$/);
  }
});

test("the types need none of a browser's", async () => {
  const folder = await mkdtemp(join(fileURLToPath(root), "build/types-"));
  try {
    const file = join(folder, "caller.mts");
    await writeFile(file, `
      declare global { interface URL { href: string } }
      import { load } from "invariant-lpips";
      const metric = await load("pixels.onnx");
      const white = { data: new Uint8Array(4 * 64 * 64).fill(255), width: 64, height: 64 };
      export const distance: number = (await metric.compare(white, white, { motion: "similarity" })).distance;
    `);
    const tsc = fileURLToPath(new URL("node_modules/typescript/bin/tsc", root));
    const options = ["--noEmit", "--ignoreConfig", "--strict", "--target", "es2022", "--lib", "es2022", "--module", "nodenext", "--types", ""];
    await promisify(execFile)(process.execPath, [tsc, ...options, file]).catch(({ stdout }) => assert.fail(stdout));
  } finally {
    await rm(folder, { recursive: true });
  }
});
