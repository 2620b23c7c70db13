import { type ReactNode, useId, useLayoutEffect, useRef } from "react";
import { t } from "@/lib/i18n";

interface DialogProps {
  readonly title: string;
  readonly children: ReactNode;
  readonly onClose: () => void;
  readonly wide?: boolean;
}

/** A modal dialog: the browser's own, so focus stays within, Escape closes it, and focus returns to where it was. */
export function Dialog({ title, children, onClose, wide = false }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  // closed while it still stands in the document: only then does the browser give the focus back
  useLayoutEffect(() => {
    const element = dialog.current;
    element?.showModal();
    return () => element?.close();
  }, []);
  return (
    <dialog
      ref={dialog}
      aria-labelledby={titleId}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onMouseDown={(event) => event.target === dialog.current && onClose()}
      className={`m-auto max-h-[90dvh] w-[calc(100vw-1.5rem)] rounded-xl border border-line bg-panel p-0 shadow-2xl ${wide ? "max-w-2xl" : "max-w-md"}`}
    >
      <div className="flex flex-col gap-4 p-5">
        <header className="flex items-center justify-between gap-3">
          <h2 id={titleId} className="text-base font-semibold text-strong">
            {title}
          </h2>
          <button
            type="button"
            aria-label={t("close")}
            onClick={onClose}
            className="-me-2 grid size-8 place-items-center rounded-md text-soft hover:bg-raised hover:text-text"
          >
            <svg viewBox="0 0 16 16" className="size-4" aria-hidden="true">
              <path d="M4 4l8 8M12 4l-8 8" stroke="currentColor" strokeWidth="1.5" strokeLinecap="round" />
            </svg>
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}
