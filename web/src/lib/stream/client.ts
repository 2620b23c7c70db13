/**
 * The exchange's stream, followed so that nothing wrong is ever shown.
 *
 * Every message of a channel but a snapshot names the message before it (`prev_seq`). As long as that is the last one
 * seen, nothing is missing. A message that was seen already is dropped. Anything else is a gap: the channel is asked for
 * anew, and until its snapshot comes it is `syncing`, which its listeners are told, so that they show that what they show
 * is not live. When the connection is lost every channel is `stale` until its next snapshot.
 */

import { refusalOf, Unreachable } from "@/lib/api/errors";

export type ChannelState = "syncing" | "live" | "stale";
export type Connection = "connecting" | "open" | "lost";

export interface Message {
  readonly type: string;
  readonly channel: string;
  readonly seq: number;
  readonly prev_seq?: number;
  readonly [key: string]: unknown;
}

export interface Listener {
  message(message: Message): void;
  state?(state: ChannelState): void;
}

/** What the stream needs of a WebSocket; tests bring their own. */
export interface Socket {
  send(text: string): void;
  close(): void;
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: (() => void) | null;
}

export interface StreamOptions {
  open(): Socket;
  /** Told of the connection, and of every time that a channel had to be asked for anew. */
  onConnection?(connection: Connection): void;
  onResync?(channel: string, reason: "gap"): void;
  /** The account channel was refused or has ended. */
  onLogin?(ok: boolean): void;
  firstPauseMs?: number;
  longestPauseMs?: number;
  pingMs?: number;
  answerMs?: number;
}

interface Asked {
  resolve(ack: unknown): void;
  reject(error: Error): void;
}

interface Channel {
  readonly listeners: Set<Listener>;
  state: ChannelState;
  seq: number;
  /** No snapshot older than this is taken: the highest `seq` seen on this connection. */
  floor: number;
}

const ACCOUNT = "account";
/** Channels whose `seq` is the journal's, which never goes back; summaries count from 0 for each first listener. */
const JOURNALED = /^(book|trades)\.|^account$/;

export class Stream {
  private readonly channels = new Map<string, Channel>();
  private socket: Socket | null = null;
  private connection: Connection = "connecting";
  private token: string | null = null;
  private pause: number;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private heartbeat: ReturnType<typeof setInterval> | undefined;
  private heardAt = 0;
  private ids = 0;
  private readonly asked = new Map<string, Asked>();
  private closed = false;

  constructor(private readonly options: StreamOptions) {
    this.pause = options.firstPauseMs ?? 250;
  }

  /** Connect, and stay connected until `close`. */
  start(): void {
    this.closed = false;
    this.connect();
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    clearInterval(this.heartbeat);
    this.socket?.close();
  }

  /** Listen to a channel; the answer stops it. A snapshot comes first. */
  subscribe(name: string, listener: Listener): () => void {
    let channel = this.channels.get(name);
    if (!channel) {
      channel = {
        listeners: new Set(),
        state: this.connection === "open" ? "syncing" : "stale",
        seq: -1,
        floor: -1,
      };
      this.channels.set(name, channel);
      this.ask("subscribe", name);
    } else if (channel.state === "live") {
      // a snapshot of its own for the new listener
      channel.listeners.add(listener);
      this.resync(name, channel);
    }
    channel.listeners.add(listener);
    listener.state?.(channel.state);
    return () => this.leave(name, listener);
  }

  /** Bind the connection to a session, for the account's channel; null ends that. */
  login(token: string | null): void {
    this.token = token;
    if (this.connection !== "open") return;
    if (token) {
      this.send({ op: "login", id: "login", token });
      if (this.channels.has(ACCOUNT)) this.ask("subscribe", ACCOUNT);
    } else if (this.channels.has(ACCOUNT)) {
      this.ask("unsubscribe", ACCOUNT);
    }
  }

  /**
   * Send a command, whose body stands under its name; its acknowledgement. Rejects with the exchange's refusal, or with
   * Unreachable when the connection is lost: then nobody knows whether it was taken.
   */
  command<A>(op: string, body: Readonly<Record<string, unknown>>): Promise<A> {
    if (this.connection !== "open")
      return Promise.reject(new Unreachable("the connection to the exchange is lost"));
    const id = this.nextId();
    return new Promise<A>((resolve, reject) => {
      this.asked.set(id, { resolve: (ack) => resolve(ack as A), reject });
      this.send({ op, id, ...body });
    });
  }

  private leave(name: string, listener: Listener): void {
    const channel = this.channels.get(name);
    if (!channel?.listeners.delete(listener) || channel.listeners.size) return;
    this.channels.delete(name);
    this.ask("unsubscribe", name);
  }

  private connect(): void {
    const socket = this.options.open();
    this.socket = socket;
    this.tell("connecting");
    socket.onopen = () => this.onOpen();
    socket.onmessage = (event) => this.onText(event.data);
    socket.onclose = () => {
      if (this.socket === socket) this.onClose();
    };
  }

  private onOpen(): void {
    this.pause = this.options.firstPauseMs ?? 250;
    this.heardAt = Date.now();
    this.tell("open");
    for (const channel of this.channels.values()) {
      channel.seq = channel.floor = -1;
      this.setState(channel, "syncing");
    }
    if (this.token) this.send({ op: "login", id: "login", token: this.token });
    const names = [...this.channels.keys()].filter((name) => name !== ACCOUNT || this.token);
    if (names.length) this.send({ op: "subscribe", id: this.nextId(), channels: names });
    clearInterval(this.heartbeat);
    this.heartbeat = setInterval(() => this.beat(), this.options.pingMs ?? 5_000);
  }

  private onClose(): void {
    clearInterval(this.heartbeat);
    this.socket = null;
    for (const channel of this.channels.values()) this.setState(channel, "stale");
    this.tell("lost");
    const asked = [...this.asked.values()];
    this.asked.clear();
    for (const one of asked) one.reject(new Unreachable("the connection to the exchange is lost"));
    if (this.closed) return;
    this.timer = setTimeout(() => this.connect(), this.pause);
    this.pause = Math.min(this.pause * 2, this.options.longestPauseMs ?? 5_000);
  }

  /** A connection that says nothing, not even to a ping, is lost, whatever the browser believes. */
  private beat(): void {
    const silent = Date.now() - this.heardAt;
    const ping = this.options.pingMs ?? 5_000;
    if (silent > ping + (this.options.answerMs ?? 5_000)) {
      const socket = this.socket;
      this.onClose();
      socket?.close();
    } else if (silent > ping / 2) {
      this.send({ op: "ping", id: this.nextId() });
    }
  }

  private onText(data: unknown): void {
    this.heardAt = Date.now();
    let message: Message & { id?: string };
    try {
      message = JSON.parse(String(data)) as Message & { id?: string };
    } catch {
      return;
    }
    if (message.type === "error") this.onError(message);
    else if (message.type === "ack") this.answered(message.id)?.resolve(message.ack);
    else if (message.type === "done") {
      if (message.id === "login") this.options.onLogin?.(true);
    } else if (typeof message.channel === "string") this.onMessage(message);
  }

  private onError(message: { id?: string; [key: string]: unknown }): void {
    this.answered(message.id)?.reject(refusalOf(0, message.error));
    const code = (message.error as { code?: string } | undefined)?.code;
    if (message.id === "login" || (message.id === "" && code === "unauthenticated")) {
      const channel = this.channels.get(ACCOUNT);
      if (channel) this.setState(channel, "stale");
      this.options.onLogin?.(false);
    }
  }

  private answered(id = ""): Asked | undefined {
    const asked = this.asked.get(id);
    this.asked.delete(id);
    return asked;
  }

  private onMessage(message: Message): void {
    const channel = this.channels.get(message.channel);
    if (!channel) return;
    if (message.type === "snapshot") this.onSnapshot(channel, message);
    else if (channel.state === "live") this.onChange(channel, message);
  }

  private onSnapshot(channel: Channel, message: Message): void {
    if (JOURNALED.test(message.channel) && message.seq < channel.floor) return;
    channel.seq = message.seq;
    channel.floor = Math.max(channel.floor, message.seq);
    for (const listener of channel.listeners) listener.message(message);
    this.setState(channel, "live");
  }

  private onChange(channel: Channel, message: Message): void {
    if (message.prev_seq === channel.seq) {
      channel.seq = message.seq;
      channel.floor = Math.max(channel.floor, message.seq);
      for (const listener of channel.listeners) listener.message(message);
    } else if (message.seq > channel.seq) {
      this.resync(message.channel, channel);
      this.options.onResync?.(message.channel, "gap");
    } // else it was seen already
  }

  private resync(name: string, channel: Channel): void {
    this.setState(channel, "syncing");
    this.ask("unsubscribe", name);
    this.ask("subscribe", name);
  }

  private setState(channel: Channel, state: ChannelState): void {
    if (channel.state === state) return;
    channel.state = state;
    for (const listener of channel.listeners) listener.state?.(state);
  }

  private ask(op: "subscribe" | "unsubscribe", name: string): void {
    if (name === ACCOUNT && op === "subscribe" && !this.token) return;
    this.send({ op, id: this.nextId(), channels: [name] });
  }

  private send(message: unknown): void {
    if (this.connection === "open") this.socket?.send(JSON.stringify(message));
  }

  private nextId(): string {
    return `${++this.ids}`;
  }

  private tell(connection: Connection): void {
    this.connection = connection;
    this.options.onConnection?.(connection);
  }
}
