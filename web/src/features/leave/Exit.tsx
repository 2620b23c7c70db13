import type { AccountOnChain } from "@/lib/chain/ledger";
import type { Address } from "@/lib/chain/typedData";
import { t } from "@/lib/i18n";
import { ledgerText, tokenText } from "@/lib/money/amounts";
import { spanText } from "@/lib/span";
import { Copied } from "@/ui/Copied";
import { Empty, Failure } from "@/ui/States";
import { type Column, Table } from "@/ui/Table";
import { useLeft } from "./left";
import { SendCall } from "./Step";
import { type Found, type OnChain, useSender } from "./useOnChain";

const ETH_DIGITS = 18;

interface PartProps {
  readonly account: Address;
  readonly chain: OnChain;
  readonly found: Found;
  readonly mine: boolean;
}

type Row = AccountOnChain["tokens"][number];

/** What the contract has in the account's name, and what lies at its deposit address. */
export function Holdings({ found }: { readonly found: AccountOnChain }) {
  const ledger = (row: Row, amount: bigint) => tokenText(amount * BigInt(row.token.unit), row.token);
  const columns: Column<Row>[] = [
    { name: t("funds.token"), cell: (row) => row.token.symbol },
    { name: t("leave.trading"), number: true, cell: (row) => ledger(row, row.trading) },
    { name: t("leave.funding"), number: true, cell: (row) => ledger(row, row.funding) },
    { name: t("leave.request"), number: true, cell: (row) => ledger(row, row.request?.amount ?? 0n) },
    { name: t("leave.lying"), number: true, cell: (row) => tokenText(row.lying, row.token) },
  ];
  const rows = found.tokens.filter((row) => row.trading || row.funding || row.request || row.lying);
  if (!rows.length) return <Empty>{t("leave.nothing")}</Empty>;
  return (
    <Table
      caption={t("leave.yours")}
      testId="on-chain"
      columns={columns}
      rows={rows}
      id={(row) => row.token.token_id}
    />
  );
}

/** Ask, wait, claim. */
export function Exit({ account, chain, found, mine }: PartProps) {
  const sender = useSender(chain.again);
  const asked = found.exitAt !== 0;
  const due = found.frozen || (asked && chain.now >= found.exitAt);
  const rest = found.tokens.filter((row) => row.trading + row.funding > 0n);
  return (
    <div className="flex flex-col gap-3">
      {sender.failed && <Failure>{sender.failed}</Failure>}
      {!asked && !found.frozen && (
        <SendCall text={t("leave.request_exit")} name="request_exit" sender={sender} mine={mine} />
      )}
      {asked && !due && (
        <p role="timer" data-testid="exit-waits" className="text-lg font-semibold text-warn">
          {t("leave.exit_waits", { time: spanText(found.exitAt - chain.now) })}
        </p>
      )}
      {due && rest.length > 0 && <p className="text-buy">{t("leave.exit_due")}</p>}
      {due && rest.length === 0 && <p className="text-buy">{t("leave.claimed")}</p>}
      {due && (
        <div className="flex flex-wrap items-start gap-3">
          {rest.map(({ token, trading, funding }) => (
            <SendCall
              key={token.token_id}
              text={t("leave.claim", {
                amount: tokenText((trading + funding) * BigInt(token.unit), token),
                asset: token.symbol,
              })}
              name="claim_exit"
              args={[account, token.address as Address]}
              sender={sender}
              mine={mine}
            />
          ))}
        </div>
      )}
      {asked && (
        <SendCall text={t("leave.cancel_exit")} name="cancel_exit" sender={sender} mine={mine} kind="plain" />
      )}
    </div>
  );
}

/** When the operator has been silent for long. */
export function Silence({ chain, found, mine }: PartProps) {
  const sender = useSender(chain.again);
  if (found.frozen) return <p className="text-buy">{t("leave.is_frozen")}</p>;
  const left = found.silentAt - chain.now;
  return (
    <div className="flex flex-col gap-2">
      {sender.failed && <Failure>{sender.failed}</Failure>}
      {left > 0 && <p className="text-soft">{t("leave.silent_in", { time: spanText(left) })}</p>}
      <SendCall
        text={t("leave.freeze")}
        name="freeze"
        sender={sender}
        mine={mine}
        kind="danger"
        disabled={left > 0}
      />
    </div>
  );
}

/** Ether that the wallet refused, and what lies at the deposit address. */
export function Elsewhere({ account, chain, found, mine }: PartProps) {
  const sender = useSender(chain.again);
  const factory = useLeft()?.deposit_addresses as Address | undefined;
  const lying = found.tokens.filter((row) => row.lying > 0n);
  const ether = { decimals: ETH_DIGITS };
  return (
    <div className="flex flex-col gap-3">
      {sender.failed && <Failure>{sender.failed}</Failure>}
      {found.depositAddress && !found.knownFactory ? (
        <p className="text-sell">{t("leave.other_factory", { factory: `${factory}` })}</p>
      ) : found.depositAddress ? (
        <p className="flex flex-wrap items-center gap-x-3">
          <span className="text-soft">{t("leave.deposit_address")}</span>
          <Copied text={found.depositAddress} whole />
        </p>
      ) : (
        <p className="text-soft">{t("leave.no_factory")}</p>
      )}
      {found.refusedEth > 0n && (
        <>
          <p>{t("leave.refused", { amount: ledgerText(found.refusedEth, ether) })}</p>
          <SendCall text={t("leave.take")} name="claim_eth" args={[account]} sender={sender} mine={mine} />
        </>
      )}
      {lying.map(({ token, lying: units }) => (
        <div key={token.token_id} className="flex flex-col gap-1.5">
          <p>{t("leave.at_address", { amount: tokenText(units, token), asset: token.symbol })}</p>
          <SendCall
            text={t("leave.take")}
            name="recover"
            {...(factory ? { to: factory } : {})}
            args={[token.address as Address, account]}
            sender={sender}
            mine={mine}
          />
        </div>
      ))}
    </div>
  );
}
