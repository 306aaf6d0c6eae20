// A model that runs. None of ONNX Runtime's types are in what this declares: they need those of a browser.

import { modelBytes, processors, runtime } from "#runtime";
import type { Calibration } from "./motion/price.js";
import type { Planes } from "./planes.js";
import type { Tap } from "./windows.js";

/** Shortest side that a model takes. */
export const SMALLEST_SIDE = 64;

export type Device = "webgpu" | "wasm";

export interface Network {
  readonly device: Device;
  /** Threads of WASM that run. */
  readonly threads: number;
  /** Tells models apart: equal for equal ones. */
  readonly model: string;
  readonly calibration: Calibration;
  run(picture: Planes): Promise<Tap[]>;
  release(): Promise<void>;
}

/** Threads that run: ONNX Runtime starts them once, with its first model. */
const running = new Map<Device, number>();

/** @throws where the bytes are no model that `web/models.py` made, or nothing runs it */
export async function start(
  device: Device,
  bytes: Uint8Array,
  threads = threadsFor(processors()),
  wasmPaths?: string,
): Promise<Network> {
  const engine = await runtime(device);
  if (wasmPaths !== undefined) engine.env.wasm.wasmPaths = wasmPaths;
  engine.env.wasm.numThreads = running.get(device) ?? threads;
  const session = await engine.InferenceSession.create(bytes, { executionProviders: [device] }).catch((error) => {
    throw new Error(`This is no model that web/models.py makes, or it can't be run here: ${error.message}`, { cause: error });
  });
  const started = engine.env.wasm.numThreads; // one, where the page isn't isolated
  running.set(device, started);
  const names = session.outputNames.filter((name) => name !== "just_noticeable");
  if (session.inputNames.join() !== "image" || names.length === session.outputNames.length) {
    await session.release();
    throw new Error("The model must be one that web/models.py makes, with input `image` and output `just_noticeable`.");
  }
  const run = ({ planes, width, height }: Planes, outputs: string[]) =>
    session.run({ image: new engine.Tensor("float32", planes, [1, 3, height, width]) }, outputs);
  // On a small picture first, so that the first real one finds everything compiled.
  const side = 2 * SMALLEST_SIDE;
  const small = { planes: new Float32Array(3 * side * side), width: side, height: side };
  const fit = (await run(small, [...session.outputNames])).just_noticeable.data as Float32Array;
  if (fit.length !== 2) throw new Error("The model is one of an older web/models.py: make it again with this one.");
  return {
    device,
    threads: started,
    model: fingerprint(bytes),
    calibration: { d0: fit[0], b: fit[1] },
    async run(picture) {
      const outputs = await run(picture, names);
      return names.map((name) => {
        const { data, dims } = outputs[name];
        return { values: data as Float32Array, rows: dims[2], columns: dims[3] };
      });
    },
    release: () => session.release(),
  };
}

/**
 * How many threads WASM gets: both of two processors, half of more, at most four, as ONNX Runtime Web has it. Half, as
 * two of them may be one core's, and threads that wait for others keep their processor busy.
 */
export function threadsFor(processors: number): number {
  return processors <= 2 ? processors : Math.min(4, Math.ceil(processors / 2));
}

/** The bytes of a model. */
export async function opened(model: string | URL | Uint8Array | ArrayBuffer): Promise<Uint8Array> {
  if (model instanceof ArrayBuffer) return new Uint8Array(model);
  if (model instanceof Uint8Array) return model;
  if (typeof model !== "string" && !(model instanceof URL)) {
    throw new TypeError(`A model must be an address (a string or a URL) or bytes, but got ${model === null ? "null" : typeof model}.`);
  }
  return modelBytes(String(model)).catch((error) => {
    throw new Error(`The model could not be read from ${model}: ${error.message}.`, { cause: error });
  });
}

/** Length and FNV-1a hash; browsers have SHA-256 in secure pages only. */
function fingerprint(bytes: Uint8Array): string {
  let hash = 0x811c9dc5;
  for (let k = 0; k < bytes.length; k++) hash = Math.imul(hash ^ bytes[k], 0x01000193);
  return `${bytes.length}-${(hash >>> 0).toString(16)}`;
}

export async function hasGPU(anyAdapter: boolean): Promise<boolean> {
  // What TypeScript's library doesn't know yet of WebGPU.
  const gpu = (globalThis.navigator as { gpu?: { requestAdapter(): Promise<Adapter | null> } } | undefined)?.gpu;
  const adapter = await gpu?.requestAdapter().catch(() => null);
  // A software adapter is slower than WASM.
  return adapter != null && (anyAdapter || !adapter.info?.isFallbackAdapter);
}

interface Adapter {
  readonly info?: { readonly isFallbackAdapter?: boolean };
}
