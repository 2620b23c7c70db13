import { beforeEach, describe, expect, test, vi } from "vitest";
import { Unreachable } from "@/lib/api/errors";
import { Book, grouped } from "@/lib/stream/book";
import { type ChannelState, type Message, type Socket, Stream } from "@/lib/stream/client";

class FakeSocket implements Socket {
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: (() => void) | null = null;
  readonly sent: { op: string; channels?: string[]; token?: string }[] = [];
  send = (text: string) => void this.sent.push(JSON.parse(text));
  close = () => this.onclose?.();
  say = (message: object) => this.onmessage?.({ data: JSON.stringify(message) });
}

const BOOK = "book.BTC-USDC";
const snapshot = (seq: number, rest = {}) => ({ type: "snapshot", channel: BOOK, seq, ...rest });
const diff = (prev_seq: number, seq: number, rest = {}) => ({
  type: "diff",
  channel: BOOK,
  prev_seq,
  seq,
  ...rest,
});

let sockets: FakeSocket[];
let heard: Message[];
let states: ChannelState[];
let resyncs: string[];
let stream: Stream;
const socket = () => sockets.at(-1) as FakeSocket;

beforeEach(() => {
  vi.useFakeTimers();
  [sockets, heard, states, resyncs] = [[], [], [], []];
  stream = new Stream({
    open: () => {
      sockets.push(new FakeSocket());
      return socket();
    },
    onResync: (channel) => resyncs.push(channel),
  });
  stream.subscribe(BOOK, { message: (one) => heard.push(one), state: (state) => states.push(state) });
  stream.start();
  socket().onopen?.();
  return () => stream.close();
});

const seqs = () => heard.map((message) => message.seq);

describe("a command on the stream", () => {
  const sent = () => socket().sent.at(-1) as { op: string; id?: string };
  const command = () => stream.command<{ seq: number }>("countdown", { countdown: { seconds: 30 } });

  test("is answered by its acknowledgement, whatever else is answered before", async () => {
    const first = command();
    const { id } = sent();
    const second = command();
    expect(sent()).toMatchObject({ op: "countdown", countdown: { seconds: 30 } });
    socket().say({ type: "ack", id: sent().id, ack: { seq: 8 } });
    socket().say({ type: "ack", id, ack: { seq: 7 } });
    expect(await Promise.all([first, second])).toEqual([{ seq: 7 }, { seq: 8 }]);
  });

  test("is refused in the exchange's words", async () => {
    const asked = command();
    socket().say({
      type: "error",
      id: sent().id,
      error: { code: "nonce_too_low", message: "too low", field: "nonce", params: {} },
    });
    await expect(asked).rejects.toMatchObject({ code: "nonce_too_low", message: "too low", field: "nonce" });
  });

  test("is unanswered when the connection is lost, and cannot be sent until it is back", async () => {
    const asked = command();
    socket().onclose?.();
    await expect(asked).rejects.toBeInstanceOf(Unreachable);
    await expect(command()).rejects.toBeInstanceOf(Unreachable);
    vi.advanceTimersByTime(300);
    socket().onopen?.();
    const again = command();
    socket().say({ type: "ack", id: sent().id, ack: { seq: 9 } });
    expect(await again).toEqual({ seq: 9 });
  });
});

describe("the stream", () => {
  test("subscribes when it is open, and is live from the snapshot on", () => {
    expect(socket().sent).toMatchObject([{ op: "subscribe", channels: [BOOK] }]);
    socket().say(snapshot(5));
    socket().say(diff(5, 8));
    expect(seqs()).toEqual([5, 8]);
    expect(states).toEqual(["stale", "syncing", "live"]);
  });

  test("asks anew after a gap, and shows nothing until the snapshot", () => {
    socket().say(snapshot(5));
    socket().say(diff(6, 7));
    expect(states.at(-1)).toBe("syncing");
    expect(resyncs).toEqual([BOOK]);
    expect(socket().sent.slice(1)).toMatchObject([{ op: "unsubscribe" }, { op: "subscribe" }]);
    socket().say(diff(7, 8));
    socket().say(snapshot(9));
    socket().say(diff(9, 10));
    expect(seqs()).toEqual([5, 9, 10]);
    expect(states.at(-1)).toBe("live");
  });

  test("drops what it has seen", () => {
    socket().say(snapshot(5));
    for (const message of [diff(5, 6), diff(5, 6), diff(6, 7), diff(5, 6)]) socket().say(message);
    expect(seqs()).toEqual([5, 6, 7]);
    expect(resyncs).toEqual([]);
  });

  test("takes reordered messages for the gap that they are", () => {
    socket().say(snapshot(5));
    socket().say(diff(6, 7));
    socket().say(diff(5, 6));
    socket().say(snapshot(8));
    expect(seqs()).toEqual([5, 8]);
  });

  test("takes no snapshot that is older than what it has", () => {
    socket().say(snapshot(5));
    socket().say(diff(5, 9));
    socket().say(snapshot(5));
    expect(seqs()).toEqual([5, 9]);
  });

  test("an unasked snapshot of a restarted engine replaces everything", () => {
    socket().say(snapshot(5));
    socket().say(snapshot(6));
    socket().say(diff(6, 7));
    expect(seqs()).toEqual([5, 6, 7]);
  });

  test("is stale while the connection is lost, and connects again", () => {
    socket().say(snapshot(5));
    socket().onclose?.();
    expect(states.at(-1)).toBe("stale");
    vi.advanceTimersByTime(300);
    expect(sockets).toHaveLength(2);
    socket().onopen?.();
    expect(socket().sent).toMatchObject([{ op: "subscribe", channels: [BOOK] }]);
    socket().say(snapshot(2));
    expect(states.at(-1)).toBe("live");
  });

  test("a connection that does not even answer a ping is lost", () => {
    socket().say(snapshot(5));
    vi.advanceTimersByTime(5_000);
    expect(socket().sent.at(-1)).toMatchObject({ op: "ping" });
    vi.advanceTimersByTime(11_000);
    expect(sockets.length).toBeGreaterThan(1);
  });

  test("logs in before it asks for the account", () => {
    stream.subscribe("account", { message: (one) => heard.push(one) });
    expect(socket().sent).toHaveLength(1);
    stream.login("secret");
    expect(socket().sent.slice(1)).toMatchObject([
      { op: "login", token: "secret" },
      { op: "subscribe", channels: ["account"] },
    ]);
  });
});

describe("the book", () => {
  const book = new Book();
  beforeEach(() => {
    book.replace(
      [
        ["90", "3"],
        ["100", "1"],
      ],
      [
        ["112", "5"],
        ["101", "2"],
      ],
    );
  });

  test("is sorted best first, and forgets levels of nothing", () => {
    book.change([["100", "0"]], [["105", "4"]]);
    expect(book.bids.map((level) => level.price)).toEqual([90n]);
    expect(book.asks.map((level) => level.price)).toEqual([101n, 105n, 112n]);
  });

  test("says what an order would take", () => {
    expect(book.walk("asks", 4n)).toEqual({ lots: 4n, quote: 2n * 101n + 2n * 112n, worst: 112n });
    expect(book.walk("asks", 4n, 111n)).toEqual({ lots: 2n, quote: 202n, worst: 101n });
    expect(book.walkQuote(330n)).toEqual({ lots: 3n, quote: 2n * 101n + 112n, worst: 112n });
  });

  test("no step of a grouped book looks better than it is", () => {
    expect(grouped(book.bids, 20n, "bids", 9)).toEqual([
      { price: 100n, lots: 1n },
      { price: 80n, lots: 3n },
    ]);
    expect(grouped(book.asks, 20n, "asks", 9)).toEqual([{ price: 120n, lots: 7n }]);
  });
});
