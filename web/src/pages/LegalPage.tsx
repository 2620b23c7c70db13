import { brand } from "@/app/brand";
import { inLanguage, t } from "@/lib/i18n";

export default function LegalPage() {
  const { operator, notice, links } = brand.legal;
  return (
    <div className="mx-auto flex max-w-2xl flex-col gap-4 p-6">
      <h1 className="text-lg font-semibold text-strong">{t("footer.legal")}</h1>
      <p>{inLanguage(notice)}</p>
      {operator && <p>{t("legal.operator", { operator })}</p>}
      {links.map((link) => (
        <a key={link.href} href={link.href} className="text-accent underline">
          {inLanguage(link.text)}
        </a>
      ))}
      <h2 className="font-semibold text-strong">{t("legal.others")}</h2>
      <p>
        {t("legal.charts")}{" "}
        <a href="https://www.tradingview.com/" rel="noreferrer" className="text-accent underline">
          TradingView Lightweight Charts™
        </a>
        . Copyright © 2025 TradingView, Inc.
      </p>
    </div>
  );
}
