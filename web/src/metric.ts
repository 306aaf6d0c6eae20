import { address, runtime, threadsAvailable } from "#runtime";
import type * as ort from "onnxruntime-web";
import { Comparison } from "./motion/comparison.js";
import { type Model, checkedModel, estimateMotion } from "./motion/estimation.js";
import { compensated } from "./motion/half-way.js";
import { Motion } from "./motion/motion.js";
import { type Calibration, multiples, withMotion } from "./motion/price.js";
import { type Picture, type Planes, oneSize, toPlanes } from "./planes.js";
import { type DifferenceMap, type Reading, differenceMap, distanceBetween } from "./windows.js";

/** Shortest side that a model takes. */
export const SMALLEST_SIDE = 64;

export type Device = "webgpu" | "wasm";

export interface LoadOptions {
  /** Where to run: `auto` is WebGPU where the browser has it on a real GPU, WASM elsewhere. */
  device?: "auto" | Device;
  /** Threads of WASM: by default half as many as there are processors, at most eight, where the page may have any. */
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
  { device = "auto", threads, wasmPaths }: LoadOptions = {},
): Promise<Metric> {
  const source = model instanceof ArrayBuffer ? new Uint8Array(model) : model instanceof URL ? address(model) : model;
  if (device !== "wasm" && (await hasGPU(device === "webgpu"))) {
    try {
      return await start("webgpu", source, threads, wasmPaths);
    } catch (error) {
      if (device === "webgpu") throw error; // with `auto` the CPU can do it all
    }
  } else if (device === "webgpu") {
    throw new Error("WebGPU was asked for, but this browser has none for this page; use device: \"wasm\".");
  }
  return start("wasm", source, threads, wasmPaths);
}

async function start(
  device: Device,
  source: string | Uint8Array,
  threads: number | undefined,
  wasmPaths: string | undefined,
): Promise<Metric> {
  const engine = await runtime(device);
  if (wasmPaths !== undefined) engine.env.wasm.wasmPaths = wasmPaths;
  engine.env.wasm.numThreads = threads ?? threadsAvailable();
  const options = { executionProviders: [device] };
  const session =
    typeof source === "string"
      ? await engine.InferenceSession.create(source, options)
      : await engine.InferenceSession.create(source, options);
  const taps = session.outputNames.filter((name) => name !== "just_noticeable");
  if (session.inputNames.join() !== "image" || taps.length === session.outputNames.length) {
    await session.release();
    throw new Error("The model must be one that web/models.py makes, with input `image` and output `just_noticeable`.");
  }
  const metric = new Metric(device, engine.env.wasm.numThreads, engine, session, taps);
  await metric.warmUp();
  return metric;
}

/** The perceptual distance of two pictures; made by {@link load}. */
export class Metric {
  private calibration: Calibration = { d0: NaN, b: NaN };

  constructor(
    /** Where it runs. */
    readonly device: Device,
    /** Threads of WASM. */
    readonly threads: number,
    private readonly engine: typeof ort,
    private readonly session: ort.InferenceSession,
    private readonly taps: readonly string[],
  ) {}

  /** The distance that people just notice. */
  get justNoticeable(): number {
    return this.calibration.d0;
  }

  /** Reads one picture, to compare it with several: the network runs once for each. */
  async read(picture: Picture | Planes): Promise<Reading> {
    const { width, height } = checked(picture);
    const { planes } = asPlanes(picture);
    const image = new this.engine.Tensor("float32", planes, [1, 3, height, width]);
    const outputs = await this.session.run({ image }, [...this.taps]);
    const taps = this.taps.map((name) => {
      const { data, dims } = outputs[name];
      return { values: data as Float32Array, rows: dims[2], columns: dims[3] };
    });
    return { planes, width, height, taps };
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
    { motion, pixelsPerDegree = 29 }: CompareOptions = {},
  ): Promise<Comparison> {
    if (!(pixelsPerDegree > 0 && pixelsPerDegree < Infinity)) {
      throw new RangeError(`Option \`pixelsPerDegree\` must be above 0, but got ${pixelsPerDegree}.`);
    }
    let [x, y]: (Planes | Reading)[] = [a, b].map((side) => asPlanes(checked(side)));
    oneSize(x, y);
    let moved = Motion.none(x);
    if (checkedModel(motion) !== undefined) {
      moved = estimateMotion(x, y);
      [x, y] = compensated(x, y, moved);
    }
    const sides = await this.both(x, y);
    const appearance = distanceBetween(...sides);
    const thresholds = multiples(moved, pixelsPerDegree);
    const distance = withMotion(appearance, thresholds, this.calibration);
    return new Comparison(distance, appearance, thresholds, moved, this.justNoticeable, motion !== undefined, sides);
  }

  /** A distance in multiples of the just noticeable one. */
  jnd(distance: number): number {
    return distance / this.justNoticeable;
  }

  /** Where two pictures of one size differ. */
  async map(a: Picture | Planes | Reading, b: Picture | Planes | Reading): Promise<DifferenceMap> {
    return differenceMap(...(await this.both(a, b)));
  }

  /** Frees what the model holds. */
  async close(): Promise<void> {
    await this.session.release();
  }

  /** Runs once on a small picture, so that the first real one finds everything compiled. */
  async warmUp(): Promise<void> {
    const side = 2 * SMALLEST_SIDE;
    const image = new this.engine.Tensor("float32", new Float32Array(3 * side * side), [1, 3, side, side]);
    const outputs = await this.session.run({ image });
    const fit = outputs.just_noticeable.data as Float32Array;
    if (fit.length !== 2) throw new Error("The model is one of an older web/models.py: make it again with this one.");
    this.calibration = { d0: fit[0], b: fit[1] };
  }

  private async both(
    a: Picture | Planes | Reading,
    b: Picture | Planes | Reading,
  ): Promise<[Reading, Reading]> {
    for (const picture of [a, b]) present(picture);
    oneSize(a, b);
    const x = "taps" in a ? a : await this.read(a);
    const y = "taps" in b ? b : await this.read(b);
    return [x, y];
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

async function hasGPU(anyAdapter: boolean): Promise<boolean> {
  // What TypeScript's library doesn't know yet of WebGPU.
  const gpu = (globalThis.navigator as { gpu?: { requestAdapter(): Promise<Adapter | null> } } | undefined)?.gpu;
  const adapter = await gpu?.requestAdapter().catch(() => null);
  // A software adapter is slower than WASM.
  return adapter != null && (anyAdapter || !adapter.info?.isFallbackAdapter);
}

interface Adapter {
  readonly info?: { readonly isFallbackAdapter?: boolean };
}
