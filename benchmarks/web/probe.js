// Runs in the page before the app. It folds the book's messages itself, and notes for each change when it came and when the
// ladder on the page showed all that had come until its frame; and how long interactions took.
(() => {
  const CHANNEL = "book.BTC-USDC";
  const ROWS = 14;
  const probe = { on: true, painted: [], late: 0, interactions: new Map(), largest: 0 };
  window.bizzanProbe = probe;
  // what it keeps must not be taken for what the page keeps
  probe.stop = () => {
    probe.on = false;
    probe.painted = [];
    probe.interactions.clear();
  };
  const book = { asks: new Map(), bids: new Map() };
  let waiting = [];
  let asked = false;

  const fold = (message) => {
    for (const side of ["asks", "bids"]) {
      if (message.type === "snapshot") book[side].clear();
      for (const [price, lots] of message[side]) {
        if (lots === "0") book[side].delete(Number(price));
        else book[side].set(Number(price), Number(lots));
      }
    }
  };

  const expected = (side) =>
    [...book[side]].sort((a, b) => (side === "asks" ? a[0] - b[0] : b[0] - a[0])).slice(0, ROWS);

  const shown = (side) => {
    const rows = document.querySelectorAll(`[data-testid=book] [data-side=${side}] button[data-price]:not([data-price=''])`);
    const levels = [...rows].map((row) => [
      Math.round(Number(row.dataset.price) * 100),
      Math.round(Number(row.querySelector("[data-cell=quantity]").textContent.replaceAll(",", "")) * 10_000),
    ]);
    return side === "asks" ? levels.reverse() : levels;
  };

  const isRight = () => ["asks", "bids"].every((side) => `${shown(side)}` === `${expected(side)}`);

  // Asked for after the app has asked for its frame, so it runs after the app has drawn; the message comes after the paint.
  const inFrame = () => {
    asked = false;
    if (!isRight()) {
      probe.late++;
      ask();
      return;
    }
    const done = waiting;
    waiting = [];
    const after = new MessageChannel();
    after.port1.onmessage = () => {
      const now = performance.now();
      for (const { seq, at } of done) probe.painted.push([seq, now - at, performance.timeOrigin + now]);
    };
    after.port2.postMessage(null);
  };
  const ask = () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(inFrame);
  };

  const onMessage = (event) => {
    if (!probe.on) return;
    const message = JSON.parse(event.data);
    if (message.channel !== CHANNEL) return;
    fold(message);
    if (message.type !== "diff") return;
    waiting.push({ seq: message.seq, at: event.timeStamp });
    ask();
  };

  const Native = window.WebSocket;
  window.WebSocket = class extends Native {
    constructor(...parts) {
      super(...parts);
      queueMicrotask(() => this.addEventListener("message", onMessage));
    }
  };

  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      if (!entry.interactionId || !probe.on) continue;
      const before = probe.interactions.get(entry.interactionId);
      if (!before || before.ms < entry.duration)
        probe.interactions.set(entry.interactionId, {
          ms: entry.duration,
          what: entry.name,
          on: entry.target?.textContent?.slice(0, 20) || entry.target?.name || entry.target?.tagName || "",
          parts: [
            entry.processingStart - entry.startTime,
            entry.processingEnd - entry.processingStart,
            entry.startTime + entry.duration - entry.processingEnd,
          ].map(Math.round),
        });
    }
  }).observe({ type: "event", durationThreshold: 16, buffered: true });
  new PerformanceObserver((list) => {
    probe.largest = list.getEntries().at(-1).startTime;
  }).observe({ type: "largest-contentful-paint", buffered: true });
})();
