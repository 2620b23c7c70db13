import { useExchange } from "@/app/exchange";
import type { Reserves as Books, Token } from "@/lib/api/types";
import type { Reserve } from "@/lib/chain/ledger";
import { localNumber, t } from "@/lib/i18n";
import { ledgerText, tokenText } from "@/lib/money/amounts";
import type { ChannelState } from "@/lib/stream/client";
import { Badge, Fact, Facts } from "@/ui/Card";
import { FRAME } from "@/ui/Page";
import { Panel } from "@/ui/Panel";
import { Failure, Loading } from "@/ui/States";
import { Asked } from "./Asked";
import { standingOf } from "./standing";
import { useHasNode, useReserves } from "./useReserves";

/** Per token: what users own by the exchange's books and by the contract, and what the contract holds. */
export function Reserves() {
  const exchange = useExchange((known) => known.exchange);
  const hasNode = useHasNode();
  const { value, state, failed } = useReserves();
  const books = value?.books ?? null;
  const chain = value?.chain ?? null;
  const booksState = value?.booksFailed ? "stale" : state;
  const block = chain?.block ?? books?.block;
  const end = block ? (
    <span className="text-xs text-soft">{t("reserves.block", { block: localNumber(`${block}`) })}</span>
  ) : null;
  return (
    <Panel title={t("reserves.title")} end={end} state={state} className={FRAME}>
      <div className="flex flex-col gap-3 p-3">
        {!hasNode && <p className="text-warn">{t("reserves.no_node")}</p>}
        {failed && <Failure>{failed}</Failure>}
        {chain && <Asked node={chain.node} contract={exchange?.contract} />}
        {chain?.old && (
          <p className="text-warn">
            {t("reserves.old", {
              books: localNumber(`${books?.block}`),
              head: localNumber(`${chain.block}`),
            })}
          </p>
        )}
        {exchange && chain && chain.reserves.length > exchange.tokens.length && (
          <p className="text-sell">{t("reserves.unnamed")}</p>
        )}
        {value?.booksFailed && <p className="text-warn">{t("proof.stale_api")}</p>}
        {exchange ? (
          <ul className="grid gap-3 sm:grid-cols-2 xl:grid-cols-4">
            {exchange.tokens.map((token) => (
              <OneToken
                key={token.token_id}
                token={token}
                books={books}
                booksState={booksState}
                chain={chain?.reserves.find((one) => one.token.tokenId === token.token_id)}
                chainState={state}
                sameBlock={books !== null && books.block === chain?.block}
                old={chain?.old === true}
              />
            ))}
          </ul>
        ) : (
          <Loading label={t("loading")} />
        )}
      </div>
    </Panel>
  );
}

interface OneTokenProps {
  readonly token: Token;
  readonly books: Books | null;
  readonly booksState: ChannelState;
  readonly chain: Reserve | undefined;
  readonly chainState: ChannelState;
  readonly sameBlock: boolean;
  /** The books are of a block too far away. */
  readonly old: boolean;
}

function OneToken({ token, books, booksState, chain, chainState, sameBlock, old }: OneTokenProps) {
  const asset = useExchange((known) => known.exchange?.assets.find((one) => one.asset_id === token.asset_id));
  const row = books?.tokens.find((one) => one.token_id === token.token_id);
  const trading = row ? BigInt(row.trading) : null;
  const funding = row ? BigInt(row.funding) : null;
  const sum = trading !== null && funding !== null ? trading + funding : null;
  if (!asset) return null;
  const ledger = (amount: bigint | null | undefined) =>
    amount === null || amount === undefined ? "–" : ledgerText(amount, asset);
  const oldBooks = booksState === "stale";
  const oldChain = chainState === "stale";
  return (
    <li
      data-reserve={token.symbol}
      className="flex flex-col gap-3 rounded-lg border border-line bg-raised/40 p-4"
    >
      <div className="flex items-center justify-between gap-2">
        <h3 className="text-base font-semibold text-strong">{token.symbol}</h3>
        {!oldChain && <Standing {...{ token, chain, sum: sameBlock ? sum : null, old }} />}
      </div>
      <div className={oldChain ? "stale" : ""}>
        <p className="text-xs text-soft">{t("reserves.contract_holds")}</p>
        <p className="text-2xl font-semibold text-strong">
          {chain ? tokenText(chain.holds, chain.token) : "–"}
        </p>
      </div>
      <Facts>
        <Fact strong name={t("reserves.users_own")}>
          {null}
        </Fact>
        <Fact name={t("reserves.from_chain")} stale={oldChain}>
          <span data-from="chain">{ledger(chain?.owes)}</span>
        </Fact>
        <Fact name={t("reserves.from_api")} stale={oldBooks}>
          <span data-from="api">{ledger(sum)}</span>
        </Fact>
        <Fact name={t("reserves.of_trading")} stale={oldBooks}>
          {ledger(trading)}
        </Fact>
        <Fact name={t("reserves.of_funding")} stale={oldBooks}>
          {ledger(funding)}
        </Fact>
        <Fact name={t("reserves.spare")} stale={oldChain}>
          {chain ? tokenText(chain.holds - chain.owes * chain.token.unit, chain.token) : "–"}
        </Fact>
      </Facts>
    </li>
  );
}

const TONES = { unknown: "plain", misnamed: "bad", short: "bad", differs: "bad", covered: "good" } as const;

function Standing(props: Parameters<typeof standingOf>[0]) {
  const standing = standingOf(props);
  return <Badge tone={TONES[standing]}>{t(`reserves.${standing}`)}</Badge>;
}
