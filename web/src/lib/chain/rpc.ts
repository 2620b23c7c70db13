/** JSON-RPC to a chain node, over HTTP or through a wallet. */
import { Unreachable } from "@/lib/api/errors";
import type { Address, Hex } from "./typedData";

export type Ask = (method: string, params: readonly unknown[]) => Promise<unknown>;

/** The node said no; `reason` is the contract's, where there is one. */
export class ChainRefused extends Error {
  constructor(
    message: string,
    readonly code: number,
    readonly data: unknown,
  ) {
    super(message);
    this.name = "ChainRefused";
  }
}

export function httpRpc(url: string): Ask {
  let id = 0;
  return async (method, params) => {
    let body: { result?: unknown; error?: { code: number; message: string; data?: unknown } };
    try {
      const response = await fetch(url, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ jsonrpc: "2.0", id: ++id, method, params }),
        signal: AbortSignal.timeout(10_000),
      });
      body = await response.json();
    } catch (error) {
      throw new Unreachable(
        `the chain's node does not answer: ${error instanceof Error ? error.message : error}`,
      );
    }
    if (body.error) throw new ChainRefused(plainReason(body.error.message), body.error.code, body.error.data);
    return body.result;
  };
}

/** The contract's own sentence out of what a node says. */
export function plainReason(message: string): string {
  return (
    message
      .replace(/^.*(execution reverted|reverted with reason string):?\s*/i, "")
      .replace(/^['"]|['"]$/g, "") || message
  );
}

export interface Receipt {
  readonly transactionHash: Hex;
  readonly blockNumber: Hex;
  readonly status: Hex;
}

export class Chain {
  constructor(readonly ask: Ask) {}

  async chainId(): Promise<number> {
    return Number(await this.ask("eth_chainId", []));
  }

  async blockNumber(): Promise<number> {
    return Number(await this.ask("eth_blockNumber", []));
  }

  async balance(address: Address): Promise<bigint> {
    return BigInt((await this.ask("eth_getBalance", [address, "latest"])) as string);
  }

  async call(to: Address, data: Hex): Promise<Hex> {
    return (await this.ask("eth_call", [{ to, data }, "latest"])) as Hex;
  }

  /** Wait until a transaction is mined. Throws when it reverted, or is not mined in time. */
  async mined(hash: Hex, timeoutMs = 120_000): Promise<Receipt> {
    const until = Date.now() + timeoutMs;
    while (Date.now() < until) {
      const receipt = (await this.ask("eth_getTransactionReceipt", [hash])) as Receipt | null;
      if (receipt) {
        if (receipt.status !== "0x1")
          throw new ChainRefused(`the transaction ${hash} failed on chain`, 3, null);
        return receipt;
      }
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
    throw new Unreachable(
      `the transaction ${hash} was not mined within ${timeoutMs / 1000} s; it may still be`,
    );
  }
}
