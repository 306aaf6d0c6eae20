// A plain file server, as a static host is one (no isolation headers), and the Chromium of the machine.

import { access, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { chromium } from "playwright-core";

const TYPES = {
  ".css": "text/css",
  ".html": "text/html",
  ".js": "text/javascript",
  ".json": "application/json",
  ".mjs": "text/javascript",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};

/** Of a browser's context that is like a telephone's. */
export const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 3, isMobile: true, hasTouch: true };

/** Serves a folder on a free port; `close` drops open connections too. */
export async function serve(folder) {
  const server = createServer(async (request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, "http://localhost").pathname));
    const file = join(folder, path.endsWith("/") ? `${path}index.html` : path);
    try {
      const body = await readFile(file);
      response.writeHead(200, { "Content-Type": TYPES[extname(file)] ?? "application/octet-stream" }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return {
    address: `http://localhost:${server.address().port}/`,
    async close() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

/** Starts the Chromium that `CHROMIUM` names or that is installed; none is downloaded. */
export async function launch() {
  const places = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
  for (const executablePath of process.env.CHROMIUM ? [process.env.CHROMIUM] : places) {
    if (!(await access(executablePath).then(() => true, () => false))) continue;
    const args = (process.env.CHROMIUM_ARGS ?? "").split(" ").filter(Boolean);
    return chromium.launch({ executablePath, args: ["--no-sandbox", ...args] });
  }
  throw new Error(`These tests need Chromium (apt-get install chromium, or CHROMIUM=path), which is not at ${places.join(" or ")}.`);
}
