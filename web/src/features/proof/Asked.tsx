import type { Told } from "@/lib/chain/nodes";
import { t } from "@/lib/i18n";

/** Whose word about the chain this is. */
export function Asked({ node }: { readonly node: Told<unknown>["node"] }) {
  return (
    <p data-node={node.named ? "named" : "own"} className="text-xs text-soft">
      {t(node.named ? "chain.by_named" : "chain.by_own", { node: node.name })}
    </p>
  );
}
