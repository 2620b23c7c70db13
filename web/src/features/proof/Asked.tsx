import type { Told } from "@/lib/chain/nodes";
import { t } from "@/lib/i18n";
import { Copied } from "@/ui/Copied";

interface AskedProps {
  readonly node: Told<unknown>["node"];
  /** Which contract was read. */
  readonly contract?: string | undefined;
}

/** Whose word about the chain this is, and of which contract. */
export function Asked({ node, contract }: AskedProps) {
  return (
    <p data-node={node.named ? "named" : "own"} className="text-xs text-soft">
      {t(node.named ? "chain.by_named" : "chain.by_own", { node: node.name })}
      {contract && (
        <span data-contract={contract}>
          {" "}
          {t("chain.contract")} <Copied text={contract} />
        </span>
      )}
    </p>
  );
}
