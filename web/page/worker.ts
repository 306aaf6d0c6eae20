// Decodes and compares pictures, so that the page stays at hand meanwhile.

import { type Comparison, type Device, type Metric, type Planes, load } from "../src/index.js";
import { PictureFile } from "./decoding.js";
import type { Answer, Ask, Calls, Candidate, Net } from "./messages.js";
import { commonSize, text } from "./sizes.js";

const pictures = new Map<number, PictureFile>();
const metrics = new Map<Net, Promise<Metric>>();
/** What was read already: by picture, network and size; pixels only, where the network read them moved. */
const readings = new Map<string, Planes>();
/** What was compared already: by both pictures, network, size, and whether what moved was undone. */
const compared = new Map<string, Candidate>();

function metric(net: Net): Promise<Metric> {
  let loading = metrics.get(net);
  if (loading === undefined) {
    // Relative to this file, which lies in the page's folder.
    const model = new URL(`models/${net}.onnx`, import.meta.url).href;
    const asked = new URL(import.meta.url).searchParams;
    loading = load(model, {
      device: (asked.get("device") ?? "auto") as "auto" | Device,
      threads: Number(asked.get("threads")) || undefined,
      wasmPaths: new URL("ort/", import.meta.url).href,
    });
    loading = loading.catch((error: Error) => {
      if (!(error.cause instanceof TypeError)) throw error; // a server did answer
      throw new Error(`Network ${net} is not on this device yet: use it once while online, and it is kept for use without a network.`);
    });
    metrics.set(net, loading);
    loading.catch(() => metrics.delete(net)); // tried again when it is asked for again
  }
  return loading;
}

const answers: { [C in keyof Calls]: (ask: Calls[C]["ask"]) => Promise<Calls[C]["answer"]> } = {
  async prepare({ net }) {
    const its = await metric(net);
    return { device: its.device, threads: its.threads };
  },

  async warmUp({ net, side }) {
    const its = await metric(net);
    await its.read({ planes: new Float32Array(3 * side * side), width: side, height: side });
    await its.compare(blocks(side / 4, 0), blocks(side / 4, 4), { motion: "similarity" });
    return null;
  },

  async open({ key, file }) {
    const picture = await PictureFile.open(file);
    pictures.set(key, picture);
    return picture.size;
  },

  async close({ key }) {
    pictures.get(key)?.close();
    pictures.delete(key);
    for (const known of [readings, compared]) {
      for (const name of known.keys()) if (name.split(" ", 2).includes(String(key))) known.delete(name);
    }
    return null;
  },

  async compare({ net, keys, motion }) {
    const size = commonSize(keys.map((key) => pictures.get(key)!.size));
    const its = await metric(net);
    const reading = async (key: number) => {
      const name = `${key} ${net} ${text(size)}`;
      const known = readings.get(name) ?? (await pictures.get(key)!.planes(size));
      readings.set(name, known);
      return known;
    };
    const [first, ...others] = keys;
    const candidates = [];
    for (const other of others) {
      const name = `${first} ${other} ${net} ${text(size)} ${motion}`;
      let candidate = compared.get(name);
      if (candidate === undefined) {
        const sides = [await reading(first), await reading(other)] as const;
        const comparison = await its.compare(...sides, { motion: motion ? "similarity" : undefined });
        if (!comparison.found) {
          [first, other].forEach((key, k) => readings.set(`${key} ${net} ${text(size)}`, comparison.sides[k]));
        }
        candidate = shown(comparison);
        compared.set(name, candidate);
      }
      candidates.push(candidate);
    }
    return { size, justNoticeable: its.justNoticeable, candidates, engine: { device: its.device, threads: its.threads } };
  },
};

/** What the page shows of a comparison. */
function shown(comparison: Comparison): Candidate {
  const { distance, found, moved } = comparison;
  // A card says the distance, and how visible it is, by itself.
  const sentence = String(comparison).split("; ").slice(0, found ? 2 : 1).join("; ");
  const matrices = { matrix: moved.matrix, toOriginal: moved.part(-0.5), toCopy: moved.part(0.5) };
  return { distance, map: comparison.map(), sentence, moved: found ? matrices : undefined };
}

/** A picture of blocks in shades of grey, moved to the left. */
function blocks(side: number, left: number): Planes {
  const shade = (x: number, y: number) => (1e4 * Math.abs(Math.sin(13 * Math.floor(x / 9) + 79 * Math.floor(y / 9)))) % 1;
  const planes = new Float32Array(3 * side * side);
  for (let k = 0; k < planes.length; k++) planes[k] = shade((k % side) + left, Math.floor(k / side) % side);
  return { planes, width: side, height: side };
}

// One after the other: a comparison reads what an earlier message opened.
let last: Promise<unknown> = Promise.resolve();
addEventListener("message", ({ data }: MessageEvent<Ask>) => {
  last = last.then(async () => {
    let answer: Answer;
    try {
      answer = { id: data.id, answer: await (answers[data.call] as (ask: unknown) => Promise<unknown>)(data.ask) };
    } catch (error) {
      answer = { id: data.id, error: error instanceof Error ? error.message : String(error) };
    }
    postMessage(answer);
  });
});
