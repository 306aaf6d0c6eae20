// Builds the page into dist/: bundled modules, models, ONNX Runtime, and a service worker that knows all of them.

import { build } from "esbuild";
import { createHash } from "node:crypto";
import { cp, mkdir, readFile, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

const here = import.meta.dirname;
const out = join(here, "dist");
const runtime = join(here, "node_modules/onnxruntime-web");

// Fetched with the page, so that it works offline; the rest is kept once it was asked for.
const AHEAD = /\.(html|css|js|json|svg)$|\/pixels\.onnx$|\/ort-wasm-simd-threaded\.(mjs|wasm)$/;

await rm(out, { recursive: true, force: true });
await mkdir(join(out, "ort"), { recursive: true });

const options = {
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  logLevel: "warning",
  conditions: ["onnxruntime-web-use-extern-wasm"],
  alias: { "#runtime": "./src/runtime.browser.ts" },
  absWorkingDir: here,
};
await build({ ...options, entryPoints: ["page/page.ts"], outdir: out });
await build({ ...options, entryPoints: ["page/worker.ts"], outdir: out, splitting: true, chunkNames: "ort/[name]-[hash]" });

for (const name of ["index.html", "style.css", "icon.svg", "manifest.json"]) await cp(join(here, "page", name), join(out, name));
for (const net of ["pixels", "alex", "alex-32"]) await cp(join(here, `models/${net}.onnx`), join(out, `models/${net}.onnx`));
for (const variant of ["", ".asyncify"]) {
  for (const kind of ["mjs", "wasm"]) {
    const name = `ort-wasm-simd-threaded${variant}.${kind}`;
    await cp(join(runtime, "dist", name), join(out, "ort", name));
  }
}

const files = (await readdir(out, { recursive: true, withFileTypes: true }))
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name).slice(out.length + 1).replaceAll("\\", "/"))
  .sort();
const hash = createHash("sha256");
for (const file of files) hash.update(file).update(await readFile(join(out, file)));
const ahead = files.filter((file) => AHEAD.test(`/${file}`));
await build({
  ...options,
  entryPoints: ["page/service-worker.ts"],
  outdir: out,
  format: "iife",
  define: { FILES: JSON.stringify(["./", ...ahead]), VERSION: JSON.stringify(hash.digest("hex").slice(0, 16)) },
});
