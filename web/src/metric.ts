import { Comparison } from "./motion/comparison.js";
import { type Model, checkedModel, estimateMotion } from "./motion/estimation.js";
import { compensated } from "./motion/half-way.js";
import { Motion } from "./motion/motion.js";
import { multiples, withMotion } from "./motion/price.js";
import { type Device, type Network, SMALLEST_SIDE, hasGPU, opened, start } from "./network.js";
import { knownOptions, quoted } from "./options.js";
import { type Picture, type Planes, oneSize, toPlanes } from "./planes.js";
import { type DifferenceMap, type Reading, differenceMap, distanceBetween } from "./windows.js";

export interface LoadOptions {
  /** Where to run: `auto` is WebGPU where the browser has it on a real GPU, WASM elsewhere. */
  device?: "auto" | Device;
  /** Threads of WASM: by default both of two processors, half of more, at most four; one where a page isn't isolated. The first model's stay. */
  threads?: number;
  /** Folder of ONNX Runtime's .wasm and .mjs files, where a bundler doesn't find them by itself. */
  wasmPaths?: string;
}

export interface CompareOptions {
  /** What of a motion is measured, undone and priced apart from the rest; nothing by default. */
  motion?: Model;
  /** Pixels to a degree of visual angle, at which a shift is priced. */
  pixelsPerDegree?: number;
}

/**
 * Loads a model that `web/models.py` made.
 *
 * @param model its address (in Node also the path of a file), or its bytes
 * @throws where there is no model there, or nothing to run it
 */
export async function load(
  model: string | URL | Uint8Array | ArrayBuffer,
  options: LoadOptions = {},
): Promise<Metric> {
  knownOptions(options, ["device", "threads", "wasmPaths"]);
  const { device = "auto", threads, wasmPaths } = options;
  if (!["auto", "webgpu", "wasm"].includes(device)) {
    throw new RangeError(`Option \`device\` must be "auto", "webgpu" or "wasm", but got ${quoted(device)}.`);
  }
  if (threads !== undefined && !(Number.isInteger(threads) && threads > 0)) {
    throw new RangeError(`Option \`threads\` must be a whole number above 0, but got ${quoted(threads)}.`);
  }
  const bytes = await opened(model);
  if (device !== "wasm" && (await hasGPU(device === "webgpu"))) {
    try {
      return new Metric(await start("webgpu", bytes, threads, wasmPaths));
    } catch (error) {
      if (device === "webgpu") throw error; // with `auto` the CPU can do it all
    }
  } else if (device === "webgpu") {
    throw new Error("WebGPU was asked for, but this browser has none for this page; use device: \"wasm\".");
  }
  return new Metric(await start("wasm", bytes, threads, wasmPaths));
}

/** The perceptual distance of two pictures; made by {@link load}. */
export class Metric {
  /** Where it runs. */
  readonly device: Device;
  /** Threads of WASM. */
  readonly threads: number;
  private closed = false;

  constructor(private readonly network: Network) {
    this.device = network.device;
    this.threads = network.threads;
  }

  /** The distance that people just notice. */
  get justNoticeable(): number {
    return this.network.calibration.d0;
  }

  /** Reads one picture, to compare it with several: the network runs once for each. */
  async read(picture: Picture | Planes): Promise<Reading> {
    this.checkOpen();
    const { planes, width, height } = asPlanes(checked(picture));
    const taps = await this.network.run({ planes, width, height });
    return { planes, width, height, taps, model: this.network.model };
  }

  /** Distance of two pictures of one size: 0 for equal ones. */
  async distance(a: Picture | Planes | Reading, b: Picture | Planes | Reading): Promise<number> {
    return distanceBetween(...(await this.both(a, b)));
  }

  /**
   * What moved between two pictures of one size, and what changed besides: as Python's `metric.compare` tells it. The
   * distance is larger for what people notice of a motion, and smaller for all that the motion explains.
   */
  async compare(
    a: Picture | Planes | Reading,
    b: Picture | Planes | Reading,
    options: CompareOptions = {},
  ): Promise<Comparison> {
    knownOptions(options, ["motion", "pixelsPerDegree"]);
    const { motion, pixelsPerDegree = 29 } = options;
    if (!(Number.isFinite(pixelsPerDegree) && pixelsPerDegree > 0)) {
      throw new RangeError(`Option \`pixelsPerDegree\` must be a number above 0, but got ${quoted(pixelsPerDegree)}.`);
    }
    this.checkPair(a, b);
    let [x, y]: (Planes | Reading)[] = [asPlanes(a), asPlanes(b)];
    let moved = Motion.none(x);
    if (checkedModel(motion) !== undefined) {
      moved = estimateMotion(x, y);
      [x, y] = compensated(x, y, moved);
    }
    const sides = await this.both(x, y);
    const appearance = distanceBetween(...sides);
    const thresholds = multiples(moved, pixelsPerDegree);
    const distance = withMotion(appearance, thresholds, this.network.calibration);
    return new Comparison(distance, appearance, thresholds, moved, this.justNoticeable, motion !== undefined, sides);
  }

  /** A distance in multiples of the just noticeable one. */
  jnd(distance: number): number {
    if (!(Number.isFinite(distance) && distance >= 0)) {
      throw new RangeError(`A distance must be a number from 0 on, but got ${quoted(distance)}.`);
    }
    return distance / this.justNoticeable;
  }

  /** Where two pictures of one size differ. */
  async map(a: Picture | Planes | Reading, b: Picture | Planes | Reading): Promise<DifferenceMap> {
    return differenceMap(...(await this.both(a, b)));
  }

  /** Frees what the model holds; the metric can't be used any more. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await this.network.release();
  }

  private async both(
    a: Picture | Planes | Reading,
    b: Picture | Planes | Reading,
  ): Promise<[Reading, Reading]> {
    this.checkPair(a, b);
    const x = "taps" in a ? a : await this.read(a);
    const y = "taps" in b ? b : await this.read(b);
    return [x, y];
  }

  private checkPair(a: Picture | Planes | Reading, b: Picture | Planes | Reading): void {
    this.checkOpen();
    for (const side of [a, b]) {
      checked(side);
      if ("taps" in side && (side as Reading).model !== this.network.model) {
        throw new TypeError("A reading can be compared by the model that read it only, but this is one of another model.");
      }
    }
    oneSize(a, b);
  }

  private checkOpen(): void {
    if (this.closed) throw new Error("This metric was closed; load it again.");
  }
}

function present(picture: unknown): void {
  if (typeof picture !== "object" || picture === null) {
    throw new TypeError(
      `A picture must be like ImageData, { data, width, height }, but got ${typeof picture}; decode files first.`,
    );
  }
}

function asPlanes(picture: Picture | Planes | Reading): Planes | Reading {
  return "planes" in picture ? picture : toPlanes(picture);
}

function checked(picture: Picture | Planes): Picture | Planes {
  present(picture);
  const { width, height } = picture;
  const [values, channels] = "planes" in picture ? [picture.planes, 3] : [picture.data, 4];
  if (!(values?.length === channels * width * height)) {
    throw new TypeError(
      `A picture must be like ImageData, ${channels} values for each of its ${width} x ${height} pixels, but has ` +
        `${values?.length ?? "none"}.`,
    );
  }
  if (!("planes" in picture) && !(values instanceof Uint8ClampedArray || values instanceof Uint8Array)) {
    throw new TypeError("A picture must have eight bits a value (a Uint8ClampedArray, as ImageData has it).");
  }
  if (Math.min(width, height) < SMALLEST_SIDE) {
    throw new RangeError(
      `A picture must have at least ${SMALLEST_SIDE} pixels a side, but is ${width} x ${height}; enlarge it.`,
    );
  }
  return picture;
}
