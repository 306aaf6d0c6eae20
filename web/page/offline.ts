/** What says that somebody has begun to use the page: a reload would close a file chooser, or drop what is dragged. */
const BEGINNINGS = ["pointerdown", "keydown", "click", "dragenter", "paste", "change"];

/**
 * Lets the service worker keep the page for use without a network. Its first visit is loaded before that worker can ask
 * for the isolation that threads need, so the page is loaded again once, if nobody has begun to use it.
 */
export async function stayAvailable(): Promise<void> {
  let begun = false;
  for (const kind of BEGINNINGS) addEventListener(kind, () => (begun = true), { capture: true, once: true });
  if (!("serviceWorker" in navigator)) return;
  try {
    await navigator.serviceWorker.register("service-worker.js", { scope: "./" });
  } catch {
    return; // a private window, say: the page works, but not offline
  }
  await navigator.serviceWorker.ready;
  const again = "loaded again for threads";
  if (!crossOriginIsolated && !begun && sessionStorage.getItem(again) === null) {
    sessionStorage.setItem(again, "yes");
    location.reload();
  }
}
