import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import type * as ort from "onnxruntime-web";

/** ONNX Runtime Web in Node, whose own build runs WASM only. */
export async function runtime(_device: "webgpu" | "wasm"): Promise<typeof ort> {
  return import("onnxruntime-web");
}

/** How many threads WASM gets: half of the processors. */
export function threadsAvailable(): number {
  return Math.min(8, Math.ceil(availableParallelism() / 2));
}

/** What ONNX Runtime opens: a file by its path. */
export function address(url: URL): string {
  return url.protocol === "file:" ? fileURLToPath(url) : url.href;
}
