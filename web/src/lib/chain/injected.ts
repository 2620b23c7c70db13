/** Wallets that announce themselves (EIP-6963) and speak EIP-1193. */
import { type Ask, ChainRefused, plainReason } from "./rpc";
import { type Call, mustBeOn, Rejected, type Signer } from "./signer";
import { type Address, type Hex, type TypedData, walletJson } from "./typedData";

export interface Provider {
  request(args: { method: string; params?: readonly unknown[] | object }): Promise<unknown>;
  on?(event: string, listener: (value: never) => void): void;
  removeListener?(event: string, listener: (value: never) => void): void;
}

/** A wallet as it announced itself. */
export interface Announced {
  readonly info: {
    readonly uuid: string;
    readonly name: string;
    readonly icon: string;
    readonly rdns: string;
  };
  readonly provider: Provider;
}

const USER_REJECTED = 4001;
const UNKNOWN_CHAIN = 4902;

/** Calls `found` for every wallet that announces itself, now or later; the answer stops it. */
export function discover(found: (wallet: Announced) => void): () => void {
  const listen = (event: Event) => {
    const wallet = (event as CustomEvent<Announced>).detail;
    if (wallet?.provider && wallet.info?.uuid) found(wallet);
  };
  window.addEventListener("eip6963:announceProvider", listen);
  window.dispatchEvent(new Event("eip6963:requestProvider"));
  return () => window.removeEventListener("eip6963:announceProvider", listen);
}

/** A provider's `request`, with its errors as ours. */
export function walletRpc(provider: Provider): Ask {
  return async (method, params) => {
    try {
      return await provider.request({ method, params });
    } catch (error) {
      const said = error as { code?: number; message?: string; data?: unknown };
      if (said.code === USER_REJECTED) throw new Rejected();
      throw new ChainRefused(plainReason(said.message ?? String(error)), said.code ?? 0, said.data);
    }
  };
}

/** Ask the wallet for its accounts, in a window of its own if it does not know this site. */
export async function requestAccounts(provider: Provider, silently = false): Promise<Address[]> {
  return (await walletRpc(provider)(silently ? "eth_accounts" : "eth_requestAccounts", [])) as Address[];
}

export async function walletChainId(provider: Provider): Promise<number> {
  return Number(await walletRpc(provider)("eth_chainId", []));
}

/** Ask the wallet to go to a chain, and to learn it first if it must. */
export async function switchChain(
  provider: Provider,
  chain: { id: number; name: string; rpcUrl: string | null },
): Promise<void> {
  const ask = walletRpc(provider);
  const chainId = `0x${chain.id.toString(16)}`;
  try {
    await ask("wallet_switchEthereumChain", [{ chainId }]);
  } catch (error) {
    if (!(error instanceof ChainRefused) || error.code !== UNKNOWN_CHAIN || !chain.rpcUrl) throw error;
    const coin = { name: "Ether", symbol: "ETH", decimals: 18 };
    const added = { chainId, chainName: chain.name, rpcUrls: [chain.rpcUrl], nativeCurrency: coin };
    await ask("wallet_addEthereumChain", [added]);
    await ask("wallet_switchEthereumChain", [{ chainId }]);
  }
}

/** A signer that asks the user each time. */
export function walletSigner(provider: Provider, address: Address): Signer {
  const ask = walletRpc(provider);
  return {
    address,
    asks: true,
    signTypedData: async (data: TypedData) =>
      (await ask("eth_signTypedData_v4", [address, walletJson(data)])) as Hex,
    signText: async (text: string) => (await ask("personal_sign", [hexOf(text), address])) as Hex,
    send: async (call: Call, chainId: number) => {
      mustBeOn(chainId, await walletChainId(provider));
      const value = `0x${(call.value ?? 0n).toString(16)}`;
      // named once more, since the user may change the chain while the wallet asks
      const chain = `0x${chainId.toString(16)}`;
      return (await ask("eth_sendTransaction", [
        { from: address, to: call.to, data: call.data, value, chainId: chain },
      ])) as Hex;
    },
  };
}

function hexOf(text: string): Hex {
  const bytes = new TextEncoder().encode(text);
  return `0x${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
