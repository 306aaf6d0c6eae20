import type * as ort from "onnxruntime-web";

export { fetched as modelBytes } from "./fetching.js";

/** ONNX Runtime Web for a device. Only what the device needs is fetched: that for WebGPU is twice as large. */
export async function runtime(device: "webgpu" | "wasm"): Promise<typeof ort> {
  return device === "webgpu" ? import("onnxruntime-web/webgpu") : import("onnxruntime-web/wasm");
}

/** How many processors threads may run on: one where the page isn't isolated, or the browser lets none share memory even so. */
export function processors(): number {
  return typeof SharedArrayBuffer === "undefined" ? 1 : navigator.hardwareConcurrency || 1;
}
