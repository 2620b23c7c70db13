import { lazy, Suspense } from "react";
import { t } from "@/lib/i18n";
import { Button } from "@/ui/Button";
import { endTour, startTour, useTour } from "./state";

const Tour = lazy(() => import("./Tour"));

/** Offers the tour to a newcomer, in a line that covers nothing; and shows it when it is wanted. */
export function Invite() {
  const { running, offered } = useTour();
  return (
    <>
      {offered && (
        <aside
          aria-label={t("tour.title")}
          className="flex flex-wrap items-center gap-x-3 gap-y-1 border-b border-line bg-accent/10 px-3 py-1.5 text-text"
        >
          <p>{t("tour.offer")}</p>
          <Button size="small" onClick={startTour}>
            {t("tour.start")}
          </Button>
          <Button size="small" kind="quiet" onClick={endTour}>
            {t("tour.decline")}
          </Button>
        </aside>
      )}
      {running && (
        <Suspense>
          <Tour />
        </Suspense>
      )}
    </>
  );
}
