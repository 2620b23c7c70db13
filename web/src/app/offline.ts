/** Keep the app's files in the browser, so that it opens when the exchange does not answer. */
export function keepApp(): void {
  // without a worker all is as before: a browser may have none, or forbid it
  if (import.meta.env.PROD) void navigator.serviceWorker?.register("/worker.js").catch(() => undefined);
}
