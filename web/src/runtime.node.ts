import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import type * as ort from "onnxruntime-web";
import { fetched } from "./fetching.js";

/** ONNX Runtime Web in Node, whose own build runs WASM only. */
export async function runtime(_device: "webgpu" | "wasm"): Promise<typeof ort> {
  return import("onnxruntime-web");
}

/** How many processors threads may run on. */
export function processors(): number {
  return availableParallelism();
}

/** The bytes of a file, by its path or address, or of what a server has. */
export async function modelBytes(address: string): Promise<Uint8Array> {
  const scheme = /^([a-z][a-z\d+.-]+):/i.exec(address)?.[1].toLowerCase(); // not a drive, of one letter
  if (scheme === undefined) return readFile(address);
  return scheme === "file" ? readFile(new URL(address)) : fetched(address);
}
