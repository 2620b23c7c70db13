/**
 * An account's deposit address. It is worked out here: the exchange is asked for it only so that it looks there, and what it says
 * must be the same. Of the factory the chain is asked, by the wallet's own node where there is one.
 */
import { confirmedExchange } from "@/app/exchange";
import { fromOwnNode } from "@/features/wallet/store";
import { api } from "@/lib/api/client";
import type { DepositAddress } from "@/lib/api/types";
import type { Told } from "@/lib/chain/nodes";
import type { Address } from "@/lib/chain/typedData";
import { t } from "@/lib/i18n";

export interface Own {
  readonly address: Address;
  readonly factory: Address;
  /** What is deposited from there, by the exchange's word; what is not, the account takes back. */
  readonly tokens: DepositAddress["tokens"];
  /** Who was asked about the factory's code. */
  readonly node: Told<unknown>["node"];
}

/** Throws, and names no address, unless everything that is known says the same. */
export async function ownAddress(account: Address): Promise<Own> {
  const { chain_id: chainId, contract, deposit_addresses } = confirmedExchange();
  const [custody, factory] = [contract as Address, deposit_addresses as Address];
  const { depositAddressOf, isKnownFactory } = await import("@/lib/chain/depositAddress");
  const { value: known, node } = await fromOwnNode((chain) =>
    isKnownFactory(chain, { chainId, custody, factory }),
  );
  if (!known) throw new Error(t("funds.address_code", { factory }));
  const address = depositAddressOf(factory, account);
  const said = await api.depositAddress();
  const told = [said.account, said.deposit_address, said.factory, said.chain_id];
  if (!sameText(told, [account, address, factory, chainId])) throw new Error(t("funds.address_differs"));
  return { address, factory, tokens: said.tokens, node };
}

const sameText = (some: readonly unknown[], others: readonly unknown[]): boolean =>
  `${some}`.toLowerCase() === `${others}`.toLowerCase();
