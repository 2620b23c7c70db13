/** A role's own call, sent by its wallet: to the exchange's contract alone, once the exchange has said which that is. */
import { confirmedExchange } from "@/app/exchange";
import type { PlainCall } from "@/lib/chain/plainCall";
import type { Signer } from "@/lib/chain/signer";
import type { Hex } from "@/lib/chain/typedData";
import { t } from "@/lib/i18n";

/** Its hash. Nothing is signed before the exchange is confirmed, nor what was prepared for another contract than is confirmed. */
export function sendCall(signer: Pick<Signer, "send">, call: PlainCall): Promise<Hex> {
  const { chain_id, contract } = confirmedExchange();
  if (call.to.toLowerCase() !== contract.toLowerCase()) throw new Error(t("banner.changed_first"));
  return signer.send(call, chain_id);
}
