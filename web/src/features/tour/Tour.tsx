import { type KeyboardEvent, useEffect, useId, useLayoutEffect, useRef, useState } from "react";
import { showPart } from "@/app/parts";
import { navigate } from "@/app/router";
import { t, useLanguage } from "@/lib/i18n";
import { Button } from "@/ui/Button";
import { endTour } from "./state";
import { type Box, placeCard, STEPS, type TourStep } from "./steps";

const PAGE = "/trade";

/** A walk over the trade page: a modal card beside what it speaks of. The browser keeps the focus within, and gives it back. */
export default function Tour() {
  const [at, setAt] = useState(0);
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  const [titleId, textId] = [useId(), useId()];
  const forwards = useLanguage().direction === "rtl" ? "ArrowLeft" : "ArrowRight";
  const backwards = forwards === "ArrowLeft" ? "ArrowRight" : "ArrowLeft";
  const step = STEPS[at] as TourStep;
  const last = at === STEPS.length - 1;
  // closed while it still stands in the document: only then does the browser give the focus back
  useLayoutEffect(() => {
    const element = dialog.current;
    if (!location.pathname.startsWith(PAGE) && location.pathname !== "/") navigate(PAGE);
    element?.showModal();
    return () => element?.close();
  }, []);
  const box = useBox(step);
  const card = useCard(box, dialog, at);
  // biome-ignore lint/correctness/useExhaustiveDependencies: each step is read out from its heading
  useEffect(() => heading.current?.focus(), [at]);
  const go = (by: number) => setAt((now) => Math.max(0, Math.min(STEPS.length - 1, now + by)));
  const press = (event: KeyboardEvent) => {
    if (event.key === forwards) go(1);
    if (event.key === backwards) go(-1);
  };
  return (
    <dialog
      ref={dialog}
      aria-labelledby={titleId}
      aria-describedby={textId}
      onKeyDown={press}
      onCancel={(event) => {
        event.preventDefault();
        endTour();
      }}
      style={{ left: card.left, top: card.top, right: "auto", bottom: "auto" }}
      className="fixed m-0 w-[min(20rem,calc(100vw-1.5rem))] overflow-visible rounded-xl border border-line bg-panel p-0 shadow-2xl backdrop:bg-transparent"
    >
      <Spot box={box} />
      <div className="relative flex flex-col gap-3 rounded-xl bg-panel p-4">
        <p className="text-xs text-soft">{t("tour.step", { number: at + 1, all: STEPS.length })}</p>
        <h2
          ref={heading}
          id={titleId}
          tabIndex={-1}
          className="text-base font-semibold text-strong outline-none"
        >
          {t(step.title)}
        </h2>
        <p id={textId}>{t(step.text)}</p>
        <div className="flex gap-2">
          <Button kind="quiet" onClick={endTour}>
            {t("tour.end")}
          </Button>
          <span className="ms-auto flex gap-2">
            {at > 0 && <Button onClick={() => go(-1)}>{t("tour.back")}</Button>}
            <Button kind="primary" onClick={() => (last ? endTour() : go(1))}>
              {last ? t("tour.done") : t("tour.next")}
            </Button>
          </span>
        </div>
      </div>
    </dialog>
  );
}

/** Everything but the box is dark. */
function Spot({ box }: { readonly box: Box | null }) {
  return (
    <div
      aria-hidden="true"
      data-testid="tour-spot"
      style={box ? { ...box } : { left: 0, top: 0, width: 0, height: 0 }}
      className="pointer-events-none fixed rounded-md shadow-[0_0_0_9999px_rgb(0_0_0/0.55)] outline-2 outline-accent"
    />
  );
}

/** Where on the screen a step's target is, as long as it is shown; null while there is none. */
function useBox(step: TourStep): Box | null {
  const [box, setBox] = useState<Box | null>(null);
  useEffect(() => {
    if (step.part) showPart(step.part);
    let shown = false;
    const look = () => {
      const target = document.querySelector(step.at);
      const found = target?.getBoundingClientRect();
      if (!target || !found?.width) return setBox(null);
      if (!shown) target.scrollIntoView({ block: "nearest" });
      shown = true;
      const { left, top, width, height } = target.getBoundingClientRect();
      setBox((now) =>
        now &&
        [left - now.left, top - now.top, width - now.width, height - now.height].every((by) => by === 0)
          ? now
          : { left, top, width, height },
      );
    };
    let frame = requestAnimationFrame(function each() {
      look();
      frame = requestAnimationFrame(each);
    });
    return () => cancelAnimationFrame(frame);
  }, [step]);
  return box;
}

/** Where the card stands; measured anew when it says something else. */
function useCard(box: Box | null, dialog: React.RefObject<HTMLDialogElement | null>, at: number) {
  const [card, setCard] = useState({ left: 0, top: 0 });
  // biome-ignore lint/correctness/useExhaustiveDependencies: the size follows the step
  useLayoutEffect(() => {
    const size = dialog.current?.getBoundingClientRect();
    if (size) setCard(placeCard(box, size, { width: innerWidth, height: innerHeight }));
  }, [box, at, dialog]);
  return card;
}
