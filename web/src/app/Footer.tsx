import { brand } from "@/app/brand";
import { openDialog } from "@/app/dialogs";
import { follow } from "@/app/router";
import { startTour } from "@/features/tour/state";
import { inLanguage, t } from "@/lib/i18n";

export function Footer() {
  return (
    <footer className="flex shrink-0 flex-wrap items-center gap-x-4 gap-y-1 border-t border-line bg-panel px-3 py-2 text-xs text-soft max-lg:pb-16">
      <span>{inLanguage(brand.legal.notice)}</span>
      <span className="ms-auto flex flex-wrap gap-x-4">
        <button type="button" onClick={() => openDialog("keys")} className="hover:text-text max-lg:hidden">
          {t("keys.title")}
        </button>
        <button type="button" onClick={startTour} className="hover:text-text">
          {t("tour.title")}
        </button>
        <a href="/leave" onClick={follow} className="hover:text-text">
          {t("nav.leave")}
        </a>
        <a href="/legal" onClick={follow} className="hover:text-text">
          {t("footer.legal")}
        </a>
        <a href="/status" className="hover:text-text">
          {t("footer.status")}
        </a>
        <a href="/docs" className="hover:text-text">
          {t("footer.api")}
        </a>
      </span>
    </footer>
  );
}
