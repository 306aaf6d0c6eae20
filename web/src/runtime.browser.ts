import type * as ort from "onnxruntime-web";

export { fetched as modelBytes } from "./fetching.js";

/** ONNX Runtime Web for a device. Only what the device needs is fetched: that for WebGPU is twice as large. */
export async function runtime(device: "webgpu" | "wasm"): Promise<typeof ort> {
  return device === "webgpu" ? import("onnxruntime-web/webgpu") : import("onnxruntime-web/wasm");
}

/** How many threads WASM gets: half of the processors, the rest has work too; one where the page isn't isolated. */
export function threadsAvailable(): number {
  return globalThis.crossOriginIsolated ? Math.min(8, Math.ceil((navigator.hardwareConcurrency || 1) / 2)) : 1;
}
