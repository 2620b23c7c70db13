import { useExchange } from "@/app/exchange";
import { localNumber, t } from "@/lib/i18n";
import { Fact, Facts } from "@/ui/Card";
import { FRAME } from "@/ui/Page";
import { Panel } from "@/ui/Panel";
import { Failure, Loading } from "@/ui/States";

/** How far indexer, keeper and publisher are behind what has happened. */
export function Lag() {
  const status = useExchange((known) => known.status);
  const away = useExchange((known) => known.away);
  const number = (value: number) => localNumber(`${value}`);
  return (
    <Panel title={t("lag.title")} state={away ? "stale" : status ? "live" : "syncing"} className={FRAME}>
      {status ? (
        <div className="p-3">
          <Facts>
            <Fact name={t("lag.indexer")}>
              {status.lag === null ? "–" : t("lag.blocks", { count: status.lag })}
            </Fact>
            <Fact name={t("lag.final")}>{number(status.finalized_block)}</Fact>
            <Fact name={t("lag.keeper")}>{number(status.batches - status.batches_settled)}</Fact>
            <Fact name={t("lag.trades")}>
              {number(status.trades - status.trades_settled - status.trades_reversed)}
            </Fact>
            <Fact name={t("lag.published")}>{t("lag.ago", { count: status.publication_lag_seconds })}</Fact>
            <Fact name={t("lag.mismatches")}>{number(status.mismatches)}</Fact>
            <Fact name={t("lag.reversed")}>{number(status.trades_reversed)}</Fact>
          </Facts>
        </div>
      ) : away ? (
        <div className="p-3">
          <Failure>{away}</Failure>
        </div>
      ) : (
        <Loading label={t("loading")} />
      )}
    </Panel>
  );
}
