import { useState } from "react";
import { useExchange } from "@/app/exchange";
import { Asked } from "@/features/proof/Asked";
import type { Address } from "@/lib/chain/typedData";
import { t } from "@/lib/i18n";
import { ledgerText } from "@/lib/money/amounts";
import { qrOf } from "@/lib/qr";
import { useAction } from "@/lib/useAction";
import { Button } from "@/ui/Button";
import { Copied } from "@/ui/Copied";
import { Failure } from "@/ui/States";
import { type Own, ownAddress } from "./ownAddress";

/** Where others pay an account by a plain transfer. */
export function OwnAddress({ account }: { readonly account: Address }) {
  const [own, setOwn] = useState<Own | null>(null);
  const action = useAction();
  const show = () => action.run(() => ownAddress(account).then(setOwn));
  return (
    <div className="flex flex-col items-start gap-2 border-t border-line pt-4">
      <h3 className="font-semibold text-text">{t("funds.own_address")}</h3>
      <p className="text-soft">{t("funds.own_address_hint")}</p>
      {action.failed && <Failure>{action.failed}</Failure>}
      {own ? (
        <Shown own={own} />
      ) : (
        <Button busy={action.busy} onClick={() => void show()}>
          {t("funds.show_address")}
        </Button>
      )}
    </div>
  );
}

function Shown({ own }: { readonly own: Own }) {
  const assets = useExchange((known) => known.exchange?.assets ?? []);
  return (
    <>
      <Qr text={own.address} />
      <Copied text={own.address} whole />
      <ul className="flex flex-wrap gap-1.5 text-xs text-soft">
        {own.tokens.map((token) => {
          const asset = assets.find((one) => one.asset_id === token.asset_id);
          const amount = asset ? ledgerText(BigInt(token.minimum), asset) : token.minimum;
          return (
            <li key={token.token_id} className="rounded-full bg-raised px-2 py-0.5">
              {t("funds.minimum", { asset: token.symbol, amount })}
            </li>
          );
        })}
      </ul>
      <p className="text-xs text-soft">{t("funds.less_stays")}</p>
      <p className="text-xs text-soft">{t("funds.address_own", { factory: own.factory })}</p>
      <Asked node={own.node} />
    </>
  );
}

const QUIET_ZONE = 4;

function Qr({ text }: { readonly text: string }) {
  const rows = qrOf(text);
  const side = rows.length + 2 * QUIET_ZONE;
  const path = rows
    .flatMap((row, y) => row.map((dark, x) => (dark ? `M${x + QUIET_ZONE} ${y + QUIET_ZONE}h1v1h-1z` : "")))
    .join("");
  return (
    <svg
      role="img"
      aria-label={t("funds.qr", { address: text })}
      viewBox={`0 0 ${side} ${side}`}
      shapeRendering="crispEdges"
      className="size-44 rounded-md"
    >
      <rect width={side} height={side} fill="#ffffff" />
      <path d={path} fill="#000000" />
    </svg>
  );
}
