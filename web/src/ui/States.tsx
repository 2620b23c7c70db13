import type { ReactNode } from "react";

/** Nothing to show yet, and what to do about it. */
export function Empty({ children, action }: { readonly children: ReactNode; readonly action?: ReactNode }) {
  return (
    <div className="flex flex-col items-center justify-center gap-3 px-4 py-8 text-center text-soft">
      <p>{children}</p>
      {action}
    </div>
  );
}

const WIDTHS = ["w-11/12", "w-3/4", "w-5/6", "w-1/2"];

/** Something is on its way: bars where it will be. */
export function Loading({ label, rows = 4 }: { readonly label: string; readonly rows?: number }) {
  return (
    <div role="status" aria-label={label} className="flex flex-col gap-2 p-3">
      {WIDTHS.slice(0, rows).map((width) => (
        <div key={width} className={`h-3 animate-pulse rounded bg-raised ${width}`} />
      ))}
    </div>
  );
}

/** What went wrong, in the exchange's own words. */
export function Failure({ children, action }: { readonly children: ReactNode; readonly action?: ReactNode }) {
  return (
    <div
      role="alert"
      className="flex items-start justify-between gap-3 rounded-md border border-sell/50 bg-sell/10 px-3 py-2 text-text"
    >
      <p className="min-w-0 break-words">{children}</p>
      {action}
    </div>
  );
}
