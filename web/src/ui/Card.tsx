import type { ReactNode } from "react";

/** A few named values, each on a line of its own. */
export function Facts({ children }: { readonly children: ReactNode }) {
  return <dl className="grid grid-cols-[1fr_auto] gap-x-4 gap-y-1.5">{children}</dl>;
}

interface FactProps {
  readonly name: ReactNode;
  readonly children: ReactNode;
  readonly strong?: boolean;
  /** What it says is not live. */
  readonly stale?: boolean;
}

export function Fact({ name, children, strong = false, stale = false }: FactProps) {
  return (
    <>
      <dt className={strong ? "text-text" : "text-soft"}>{name}</dt>
      <dd className={`text-end ${strong ? "font-semibold text-strong" : ""} ${stale ? "stale" : ""}`}>
        <bdi>{children}</bdi>
      </dd>
    </>
  );
}

const TONES = {
  good: "bg-buy/15 text-buy",
  bad: "bg-sell/15 text-sell",
  warn: "bg-warn/15 text-warn",
  plain: "bg-raised text-soft",
} as const;

/** One word about how something is; its mark says the same as its colour. */
export function Badge({
  tone,
  children,
}: {
  readonly tone: keyof typeof TONES;
  readonly children: ReactNode;
}) {
  const mark = { good: "✓", bad: "✗", warn: "…", plain: "" }[tone];
  return (
    <span
      data-tone={tone}
      className={`inline-flex items-center gap-1 whitespace-nowrap rounded-full px-2 py-0.5 text-xs font-medium ${TONES[tone]}`}
    >
      {mark && <span aria-hidden="true">{mark}</span>}
      {children}
    </span>
  );
}
