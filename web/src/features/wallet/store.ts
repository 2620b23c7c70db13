/**
 * The user's wallet: which one, on which chain, whether it is signed in, and the key that trades for it without asking.
 *
 *   none -> connecting -> connected (signed in or not, right chain or wrong)
 *
 * A burner wallet's key, a session and a delegated key are kept in the browser's storage. Nothing secret leaves the page.
 */
import { create } from "zustand";
import { confirmedExchange, exchangeNow, theExchange, useExchange } from "@/app/exchange";
import { stream, whenLoggedIn } from "@/app/stream";
import { api, setToken } from "@/lib/api/client";
import type { Exchange } from "@/lib/api/types";
import {
  type Announced,
  discover,
  requestAccounts,
  switchChain,
  walletChainId,
  walletRpc,
  walletSigner,
} from "@/lib/chain/injected";
import { firstTold, type Node, type Told } from "@/lib/chain/nodes";
import { Chain, httpRpc } from "@/lib/chain/rpc";
import type { Signer } from "@/lib/chain/signer";
import type { Address, Hex } from "@/lib/chain/typedData";
import { keep, recall } from "@/lib/storage";
import { signInText } from "./siwe";

const keys = () => import("@/lib/chain/keys");

interface Session {
  readonly token: string;
  readonly address: Address;
  readonly expires_at: number;
}

export interface Delegate {
  readonly key: Hex;
  readonly address: Address;
  readonly account: Address;
  /** Unix seconds. */
  readonly expiry: number;
}

export interface Wallet {
  readonly kind: "burner" | "injected";
  readonly name: string;
  readonly signer: Signer;
  readonly provider: Announced | null;
}

interface WalletState {
  readonly phase: "none" | "connecting" | "connected";
  readonly wallet: Wallet | null;
  /** The chain that the wallet is on; null while that is not known. */
  readonly chainId: number | null;
  readonly session: Session | null;
  readonly delegate: Delegate | null;
  readonly announced: readonly Announced[];
}

export const useWallet = create<WalletState>(() => ({
  phase: "none",
  wallet: null,
  chainId: null,
  session: null,
  delegate: null,
  announced: [],
}));

/** The account that is connected. */
export const useAddress = (): Address | null => useWallet((state) => state.wallet?.signer.address ?? null);

/** Whether the wallet is on another chain than the exchange. */
export function isWrongChain(state: Pick<WalletState, "chainId">): boolean {
  const { exchange } = useExchange.getState();
  return exchange !== null && state.chainId !== null && state.chainId !== exchange.chain_id;
}

/** The chain's node: the public one, or else the wallet's. */
export function theChain(): Chain {
  const url = theExchange().public_rpc_url;
  if (url) return new Chain(httpRpc(url));
  const provider = useWallet.getState().wallet?.provider;
  if (!provider) throw new Error("connect a wallet first: this exchange names no public node of its chain");
  return new Chain(walletRpc(provider.provider));
}

type OnChain = Pick<Exchange, "chain_id" | "public_rpc_url">;

/** The nodes to ask about what an exchange says of itself: the wallet's, if it is on this chain, then the public one. */
export function ownNodes({ chain_id, public_rpc_url: url }: OnChain = theExchange()): Node[] {
  const { wallet, chainId } = useWallet.getState();
  const nodes: Node[] = [];
  if (wallet?.provider && chainId === chain_id)
    nodes.push({ chain: new Chain(walletRpc(wallet.provider.provider)), name: wallet.name, named: false });
  if (url) nodes.push({ chain: new Chain(httpRpc(url)), name: new URL(url).host, named: true });
  return nodes;
}

/** What the chain says, by the wallet's node, or by the public one if that does not answer. */
export const fromOwnNode = <V>(read: (chain: Chain) => Promise<V>, of?: OnChain): Promise<Told<V>> =>
  firstTold(ownNodes(of), read);

// connecting

/** Look for wallets of the browser, and connect again to the one of last time. */
export function lookForWallets(): void {
  discover((wallet) => {
    const { announced, phase } = useWallet.getState();
    if (!announced.some((known) => known.info.uuid === wallet.info.uuid))
      useWallet.setState({ announced: [...announced, wallet] });
    if (phase === "none" && recall<string>("wallet") === wallet.info.rdns) void connectInjected(wallet, true);
  });
}

/** Take up the wallet of last time. Call it once the exchange is known. */
export async function startWallet(): Promise<void> {
  lookForWallets();
  // when the exchange is away, the page says so, and offers to sign in later
  if (recall<string>("wallet") === "burner" && recall<Hex>("burner"))
    await connectBurner().catch(() => undefined);
}

/** The burner wallet of this browser, made now if there is none. */
export async function connectBurner(): Promise<void> {
  const url = theExchange().public_rpc_url;
  if (!url) throw new Error("there is no public node of this chain for a wallet in the page");
  useWallet.setState({ phase: "connecting" });
  const { keySigner, newKey } = await keys();
  const key = recall<Hex>("burner") ?? newKey();
  keep("burner", key);
  keep("wallet", "burner");
  const wallet: Wallet = { kind: "burner", name: "", signer: keySigner(key, httpRpc(url)), provider: null };
  await connected(wallet, theExchange().chain_id);
}

/** A wallet of the browser's; `silently` only if it knows this site already. */
export async function connectInjected(announced: Announced, silently = false): Promise<void> {
  useWallet.setState({ phase: "connecting" });
  try {
    const [address] = await requestAccounts(announced.provider, silently);
    if (!address) throw new Error("the wallet gave no account");
    const { getAddress } = await import("viem/utils");
    const signer = walletSigner(announced.provider, getAddress(address));
    listen(announced);
    keep("wallet", announced.info.rdns);
    await connected(
      { kind: "injected", name: announced.info.name, signer, provider: announced },
      await walletChainId(announced.provider),
    );
  } catch (error) {
    useWallet.setState({ phase: "none", wallet: null });
    if (!silently) throw error;
  }
}

const listened = new Set<Announced>();

function listen(announced: Announced): void {
  if (listened.has(announced)) return;
  listened.add(announced);
  const mine = () => useWallet.getState().wallet?.provider === announced;
  announced.provider.on?.(
    "chainChanged",
    (id: string) => mine() && useWallet.setState({ chainId: Number(id) }),
  );
  announced.provider.on?.("accountsChanged", (accounts: Address[]) => {
    if (!mine()) return;
    if (accounts.length) void connectInjected(announced, true);
    else disconnect();
  });
}

async function connected(wallet: Wallet, chainId: number): Promise<void> {
  const address = wallet.signer.address;
  const stored = recall<Session>("session");
  const session = stored?.address === address && stored.expires_at > exchangeNow() ? stored : null;
  const kept = recall<Delegate>("delegate");
  const delegate = kept?.account === address && kept.expiry * 1_000 > exchangeNow() ? kept : null;
  useWallet.setState({ phase: "connected", wallet, chainId, delegate });
  setSession(session);
  if (!session && !wallet.signer.asks) await signIn();
}

/** Forget the wallet and its session. A burner's key stays in the browser, and comes back with its next connection. */
export function disconnect(): void {
  if (useWallet.getState().session) void api.logout().catch(() => undefined);
  setSession(null);
  keep("wallet", null);
  useWallet.setState({ phase: "none", wallet: null, chainId: null, delegate: null });
}

/** Ask the wallet to go to the exchange's chain. */
export async function goToChain(): Promise<void> {
  const { wallet } = useWallet.getState();
  if (!wallet?.provider) return;
  const exchange = theExchange();
  await switchChain(wallet.provider.provider, {
    id: exchange.chain_id,
    name: exchange.name,
    rpcUrl: exchange.public_rpc_url,
  });
  useWallet.setState({ chainId: await walletChainId(wallet.provider.provider) });
}

// the session

export async function signIn(): Promise<void> {
  const { wallet } = useWallet.getState();
  if (!wallet) throw new Error("connect a wallet first");
  const nonce = await api.nonce();
  const text = signInText(wallet.signer.address, nonce, location.protocol, exchangeNow());
  const answer = await api.login(text, await wallet.signer.signText(text));
  setSession({ token: answer.token, address: wallet.signer.address, expires_at: answer.expires_at });
}

function setSession(session: Session | null): void {
  keep("session", session);
  setToken(session?.token ?? null, () => setSession(null)); // first: who hears of the session may ask at once
  useWallet.setState({ session });
  stream.login(session?.token ?? null);
}

whenLoggedIn((ok) => {
  if (!ok && useWallet.getState().session) setSession(null);
});

// one-click trading

const INDEXED_TRIES = 60;
const INDEXED_PAUSE_MS = 500;

export const DELEGATE_HOURS = [1, 8, 24] as const;

/** Make a key in this browser that trades for the account until it expires; one transaction says so on chain. */
export async function startDelegate(seconds: number): Promise<void> {
  const { wallet } = useWallet.getState();
  if (!wallet) throw new Error("connect a wallet first");
  const [{ newKey, addressOf }, { addDelegate }] = await Promise.all([keys(), import("@/lib/chain/custody")]);
  const key = newKey();
  const expiry = Math.floor(exchangeNow() / 1_000) + seconds;
  const delegate: Delegate = { key, address: addressOf(key), account: wallet.signer.address, expiry };
  const custody = confirmedExchange().contract as Address;
  const markets = theExchange().markets.reduce((bits, market) => bits | (1n << BigInt(market.market_id)), 0n);
  const call = addDelegate(custody, delegate.address, markets, BigInt(expiry));
  const hash = await wallet.signer.send(call, theExchange().chain_id);
  await indexed(Number((await theChain().mined(hash)).blockNumber));
  keep("delegate", delegate);
  useWallet.setState({ delegate });
}

/** Wait until the exchange has seen a block; it takes a delegated key's orders from then on. */
async function indexed(block: number): Promise<void> {
  for (let tries = 0; tries < INDEXED_TRIES; tries++) {
    if ((await api.status()).indexed_block >= block) return;
    await new Promise((resolve) => setTimeout(resolve, INDEXED_PAUSE_MS));
  }
}

/** Take the key's right back on chain, and forget it. */
export async function endDelegate(): Promise<void> {
  const { wallet, delegate } = useWallet.getState();
  if (!wallet || !delegate) return;
  const { revokeDelegate } = await import("@/lib/chain/custody");
  const { contract, chain_id } = theExchange();
  const hash = await wallet.signer.send(revokeDelegate(contract as Address, delegate.address), chain_id);
  await theChain().mined(hash);
  keep("delegate", null);
  useWallet.setState({ delegate: null });
}

/** Who signs orders and cancels now: the delegated key while it is good, else the wallet. */
export async function orderSigner(): Promise<{
  signer: Signer;
  scheme: "account" | "delegate";
  expiry: number | null;
}> {
  const { wallet, delegate } = useWallet.getState();
  if (!wallet) throw new Error("connect a wallet first");
  if (delegate && delegate.expiry * 1_000 > exchangeNow() + 5_000) {
    const { keySigner } = await keys();
    return { signer: keySigner(delegate.key), scheme: "delegate", expiry: delegate.expiry };
  }
  return { signer: wallet.signer, scheme: "account", expiry: null };
}
