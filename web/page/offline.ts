/**
 * Lets the service worker keep the page for use without a network. Its first visit is loaded before that worker can ask
 * for the isolation that threads need, so the page is loaded again once, if nobody has begun to use it.
 */
export async function stayAvailable(unused: () => boolean): Promise<void> {
  if (!("serviceWorker" in navigator)) return;
  try {
    await navigator.serviceWorker.register("service-worker.js", { scope: "./" });
  } catch {
    return; // a private window, say: the page works, but not offline
  }
  await navigator.serviceWorker.ready;
  const again = "loaded again for threads";
  if (!crossOriginIsolated && unused() && sessionStorage.getItem(again) === null) {
    sessionStorage.setItem(again, "yes");
    location.reload();
  }
}
