// Decodes and compares pictures, so that the page stays at hand meanwhile.

import { type Device, type Metric, type Reading, load } from "../src/index.js";
import { PictureFile } from "./decoding.js";
import type { Answer, Ask, Calls, Net } from "./messages.js";
import { commonSize, text } from "./sizes.js";

const pictures = new Map<number, PictureFile>();
const metrics = new Map<Net, Promise<Metric>>();
/** What was read already: by picture, network and size. */
const readings = new Map<string, Reading>();

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
    await (await metric(net)).read({ planes: new Float32Array(3 * side * side), width: side, height: side });
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
    for (const name of readings.keys()) if (name.startsWith(`${key} `)) readings.delete(name);
    return null;
  },

  async compare({ net, keys }) {
    const size = commonSize(keys.map((key) => pictures.get(key)!.size));
    const its = await metric(net);
    const sides: Reading[] = [];
    for (const key of keys) {
      const name = `${key} ${net} ${text(size)}`;
      const reading = readings.get(name) ?? (await its.read(await pictures.get(key)!.planes(size)));
      readings.set(name, reading);
      sides.push(reading);
    }
    const [first, ...others] = sides;
    const candidates = [];
    for (const other of others) {
      candidates.push({ distance: await its.distance(first, other), map: await its.map(first, other) });
    }
    return { size, justNoticeable: its.justNoticeable, candidates, engine: { device: its.device, threads: its.threads } };
  },
};

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
