import { localNumber, t } from "@/lib/i18n";
import { fixed } from "@/lib/money/decimal";
import { choose, type Display } from "./useWorth";
import { cut, type Part, shownDigits } from "./worth";

interface WorthProps {
  readonly display: Display | null;
  readonly parts: readonly Part[];
  readonly testId?: string;
}

/** An estimate, marked as one; what rests on a price that is not live looks so, and what has no price says so. */
export function Worth({ display, parts, testId }: WorthProps) {
  if (!display) return <span className="text-soft">–</span>;
  const { amount, live, unpriced } = display.worth(parts);
  if (unpriced.length && unpriced.length === parts.filter((part) => part.amount).length)
    return <span className="text-soft">{t("worth.none")}</span>;
  const text = localNumber(fixed(cut(amount, display.asset), shownDigits(display.asset)));
  const hint = [t("worth.hint"), live ? "" : t("worth.old"), unpriced.length ? t("worth.part") : ""];
  return (
    <span
      dir="ltr"
      data-testid={testId}
      data-live={live}
      title={hint.filter(Boolean).join(" ")}
      className={live ? "" : "stale text-warn"}
    >
      <span aria-hidden="true">{unpriced.length ? "≥ " : "≈ "}</span>
      <span className="sr-only">{t(unpriced.length ? "worth.at_least" : "worth.about")} </span>
      {text} {display.asset.symbol}
    </span>
  );
}

/** Everything together, in an asset of the user's choice. */
export function Total({ display, parts }: Omit<WorthProps, "testId">) {
  if (!display) return null;
  return (
    <p className="flex flex-wrap items-center gap-x-3 gap-y-1 px-3 py-2">
      <span className="text-soft">{t("worth.total")}</span>
      <span className="text-base font-semibold text-strong">
        <Worth display={display} parts={parts} testId="worth-total" />
      </span>
      <label className="ms-auto flex items-center gap-2 text-xs text-soft">
        {t("worth.shown_in")}
        <select
          value={display.asset.symbol}
          onChange={(event) => choose(event.target.value)}
          className="h-8 rounded-md border border-line bg-raised px-2 text-text"
        >
          {display.choices.map((asset) => (
            <option key={asset.asset_id} value={asset.symbol}>
              {asset.symbol}
            </option>
          ))}
        </select>
      </label>
      <span className="w-full text-xs text-soft">{t("worth.hint")}</span>
    </p>
  );
}
