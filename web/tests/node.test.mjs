// The npm package in Node: Python's numbers, and refusals.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, test } from "node:test";
import { Shrinking, load } from "invariant-lpips";

const root = new URL("../", import.meta.url);
const expected = JSON.parse(await readFile(new URL("build/pairs/expected.json", root), "utf8"));
const names = Object.keys(expected).filter((name) => name !== "4k");
const metric = await load(new URL("models/pixels.onnx", root));
after(() => metric.close());

async function picture(name, side) {
  const { width, height } = expected[name];
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
  await alex.close();
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
  await assert.rejects(load(new URL("models/pixels.onnx", root), { device: "webgpu" }), /WebGPU/);
});
