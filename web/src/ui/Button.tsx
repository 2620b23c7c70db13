import type { ButtonHTMLAttributes } from "react";

const KINDS = {
  primary: "bg-accent text-on-accent font-semibold hover:brightness-110",
  buy: "bg-buy text-on-fill font-semibold hover:brightness-110",
  sell: "bg-sell text-on-fill font-semibold hover:brightness-110",
  plain: "bg-raised text-text hover:bg-line",
  quiet: "text-soft hover:text-text hover:bg-raised",
  danger: "border border-sell text-sell hover:bg-sell/10",
} as const;

const SIZES = { small: "h-7 px-2 text-xs", normal: "h-9 px-3", large: "h-11 px-4 text-sm" } as const;

export interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  readonly kind?: keyof typeof KINDS;
  readonly size?: keyof typeof SIZES;
  /** Something is on its way: it cannot be pressed again meanwhile. */
  readonly busy?: boolean;
}

export function Button({
  kind = "plain",
  size = "normal",
  busy = false,
  className = "",
  ...rest
}: ButtonProps) {
  return (
    <button
      type="button"
      {...rest}
      disabled={rest.disabled || busy}
      aria-busy={busy || undefined}
      className={`inline-flex items-center justify-center gap-1.5 whitespace-nowrap rounded-md transition-colors disabled:opacity-60 ${KINDS[kind]} ${SIZES[size]} ${className}`}
    />
  );
}
