// Keeps the page's files for use without a network, and asks for the isolation that threads need: a plain file server
// sends no such headers.

/// <reference lib="webworker" />

declare const self: ServiceWorkerGlobalScope;
/** Put in by build.mjs: what is fetched ahead, and a hash of all of it. */
declare const FILES: string[];
declare const VERSION: string;

const CACHE = `invariant-lpips-${VERSION}`;

self.addEventListener("install", (event) => {
  // Past the browser's own cache, which may still hold files of the version before.
  const requests = FILES.map((file) => new Request(file, { cache: "reload" }));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(requests)));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    (async () => {
      for (const name of await caches.keys()) {
        if (name.startsWith("invariant-lpips-") && name !== CACHE) await caches.delete(name);
      }
      await self.clients.claim();
    })(),
  );
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const inScope = request.url.startsWith(self.registration.scope);
  if (request.method === "GET" && inScope) event.respondWith(respond(request));
});

async function respond(request: Request): Promise<Response> {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request, { ignoreSearch: true });
  if (kept !== undefined) return isolated(kept);
  const response = await fetch(request);
  // Larger files that not everybody needs are kept once they were asked for.
  if (response.ok) await cache.put(request, response.clone());
  return isolated(response);
}

function isolated(response: Response): Response {
  if (response.status === 0) return response;
  const headers = new Headers(response.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  headers.set("Cross-Origin-Resource-Policy", "same-origin");
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}
