import { Batches } from "@/features/proof/Batches";
import { Fees } from "@/features/proof/Fees";
import { Lag } from "@/features/proof/Lag";
import { Receipts } from "@/features/proof/Receipts";
import { Reserves } from "@/features/proof/Reserves";
import { t } from "@/lib/i18n";
import { Page } from "@/ui/Page";

/** What no custodial exchange can show: that the money is there, and that the exchange keeps its word. */
export default function ProofPage() {
  return (
    <Page title={t("proof.title")} lead={t("proof.lead")}>
      <Reserves />
      <div className="grid gap-4 lg:grid-cols-[2fr_1fr]">
        <div className="flex min-w-0 flex-col gap-4">
          <Batches />
          <Receipts />
        </div>
        <div className="flex min-w-0 flex-col gap-4">
          <Lag />
          <Fees />
        </div>
      </div>
    </Page>
  );
}
