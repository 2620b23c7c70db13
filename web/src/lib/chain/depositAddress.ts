/**
 * Where plain transfers for an account go, worked out here (CREATE2, as `contracts/DepositAddresses.vy` does), and whether the
 * code that makes these addresses is the one that this app knows. Loaded when needed.
 */
import { concat, getContractAddress, keccak256, pad, size, slice } from "viem/utils";
import type { Chain } from "./rpc";
import { mustBeOn } from "./signer";
import type { Address, Hex } from "./typedData";

const BEFORE_IMPLEMENTATION = "0x60333d8160093d39f336600557005b363d3d373d3d3d363d73";
const AFTER_IMPLEMENTATION = "0x5af43d82803e903d91603157fd5bf3";

/** By which code is known: how many bytes stand before its immutables, and their hash. */
interface CodeMark {
  readonly size: number;
  readonly hash: Hex;
}

/** The two contracts, compiled; `exchange/domain/deposit_address.py` knows them as well. */
const FACTORY_CODE: CodeMark = {
  size: 1_423,
  hash: "0x3471276449cefa245f6d278e1f7e02c6d7f92b443e18e3c3e96bf733a615f0e0",
};
const IMPLEMENTATION_CODE: CodeMark = {
  size: 2_508,
  hash: "0xbece8ce66ea566f023affbc24d2944ead3d8cb748e57bc5f38b0db3b1f0042b4",
};

/** What a factory's addresses run: the first contract that it created. */
const implementationOf = (factory: Address): Address => getContractAddress({ from: factory, nonce: 1n });

const initCodeOf = (factory: Address): Hex =>
  concat([BEFORE_IMPLEMENTATION, implementationOf(factory), AFTER_IMPLEMENTATION]);

/** Where plain transfers for `account` go. */
export const depositAddressOf = (factory: Address, account: Address): Address =>
  getContractAddress({
    opcode: "CREATE2",
    from: factory,
    salt: pad(account),
    bytecode: initCodeOf(factory),
  });

export interface Places {
  readonly chainId: number;
  readonly custody: Address;
  readonly factory: Address;
}

/**
 * Whether what stands on chain makes a factory's addresses deposit into `custody`: other code may pay what comes there to anybody.
 * Throws when the chain is another one, or cannot be asked.
 */
export async function isKnownFactory(chain: Chain, { chainId, custody, factory }: Places): Promise<boolean> {
  const implementation = implementationOf(factory);
  const codeAt = (place: Address) => chain.ask("eth_getCode", [place, "latest"]) as Promise<Hex>;
  const [found, made, makes] = await Promise.all([chain.chainId(), codeAt(factory), codeAt(implementation)]);
  mustBeOn(chainId, found);
  const proxyHash = keccak256(initCodeOf(factory));
  return (
    isCode(made, FACTORY_CODE, [custody, implementation, proxyHash]) &&
    isCode(makes, IMPLEMENTATION_CODE, [factory, custody])
  );
}

/** Whether `code` is the marked one with these immutables, each a word, and nothing else. */
function isCode(code: Hex, mark: CodeMark, immutables: readonly Hex[]): boolean {
  const words = concat(immutables.map((value) => pad(value))).toLowerCase();
  if (size(code) !== mark.size + size(words as Hex)) return false;
  return slice(code, mark.size).toLowerCase() === words && keccak256(slice(code, 0, mark.size)) === mark.hash;
}
