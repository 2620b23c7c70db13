import { type ReactNode, useId } from "react";
import { t } from "@/lib/i18n";
import type { ChannelState } from "@/lib/stream/client";

interface PanelProps {
  readonly title: string;
  /** Whether the title is for screen readers only. */
  readonly quiet?: boolean;
  readonly state?: ChannelState;
  readonly end?: ReactNode;
  readonly children: ReactNode;
  readonly className?: string;
}

/** A named region of the page. When what it shows is not live, it looks so and says so. */
export function Panel({ title, quiet = false, state = "live", end, children, className = "" }: PanelProps) {
  const id = useId();
  return (
    <section
      aria-labelledby={id}
      data-state={state}
      className={`flex min-h-0 min-w-0 flex-col bg-panel ${className}`}
    >
      <header
        className={
          quiet
            ? "sr-only"
            : "flex min-h-9 shrink-0 flex-wrap items-center justify-between gap-x-2 gap-y-1 border-b border-line px-3 py-1"
        }
      >
        <h2 id={id} className="truncate font-semibold text-text">
          {title}
        </h2>
        {!quiet && (
          <div className="flex flex-wrap items-center gap-2">
            {state !== "live" && <NotLive state={state} />}
            {end}
          </div>
        )}
      </header>
      <div className={`flex min-h-0 flex-1 flex-col ${state === "live" ? "" : "stale"}`}>{children}</div>
    </section>
  );
}

export function NotLive({ state }: { readonly state: ChannelState }) {
  return (
    <span role="status" className="rounded bg-warn/15 px-1.5 py-0.5 text-xs font-medium text-warn">
      {state === "syncing" ? t("state.syncing") : t("state.stale")}
    </span>
  );
}
