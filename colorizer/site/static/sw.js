// Keeps the page for when there is no network, and asks nobody but its own host.
//
// Files are kept as of one version of the page, whose list `colorizer site` writes in; large ones have
// their checksum in their names, and stay from one version to the next.

const { version, small, large } = { version: "", small: [], large: [] }; // LIST
const [OWN, LARGE] = [`colorizer-${version}`, "colorizer-large"];
const HEADERS = {
  "Cross-Origin-Opener-Policy": "same-origin", // with these two the page may have threads
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
  "X-Content-Type-Options": "nosniff",
};
const WORKER = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'";
const at = (name) => new URL(name, self.registration.scope).href;

self.addEventListener("install", (event) =>
  event.waitUntil(
    caches.open(OWN).then((cache) => cache.addAll(small.map((name) => new Request(at(name), { cache: "no-cache" })))),
  ),
);

self.addEventListener("activate", (event) =>
  event.waitUntil(
    (async () => {
      for (const name of await caches.keys()) if (name.startsWith("colorizer-") && ![OWN, LARGE].includes(name)) await caches.delete(name);
      const [cache, wanted] = [await caches.open(LARGE), new Set(large.map(at))];
      for (const request of await cache.keys()) if (!wanted.has(request.url)) await cache.delete(request);
      await self.clients.claim();
    })(),
  ),
);

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (url.origin !== self.location.origin) return event.respondWith(Response.error());
  if (request.method !== "GET" || !request.url.startsWith(at("./"))) return;
  url.hash = url.search = "";
  event.respondWith(answer(url.href === at("./") ? at("index.html") : url.href));
});

async function answer(address) {
  const found = await caches.match(address);
  if (found) return hardened(found, address);
  const fetched = await fetch(address);
  if (fetched.ok && large.map(at).includes(address)) {
    const copy = fetched.clone();
    caches.open(LARGE).then((cache) => cache.put(address, copy)).catch(tellFull);
  }
  return hardened(fetched, address);
}

// The disk keeps no more.
async function tellFull() {
  for (const client of await self.clients.matchAll()) client.postMessage("full");
}

function hardened(response, address) {
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
  if (address.includes("/worker/") || address.includes("/runtime/")) headers.set("Content-Security-Policy", WORKER);
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}
