interface SegmentsProps<V extends string> {
  readonly label: string;
  readonly options: readonly { readonly value: V; readonly text: string; readonly tone?: "buy" | "sell" }[];
  readonly value: V;
  readonly onChange: (value: V) => void;
  readonly small?: boolean;
}

const TONES = {
  buy: "aria-pressed:bg-buy aria-pressed:text-on-fill",
  sell: "aria-pressed:bg-sell aria-pressed:text-on-fill",
};
const PLAIN = "aria-pressed:bg-line aria-pressed:text-strong";

/** One choice of a few, all of them in sight. */
export function Segments<V extends string>({
  label,
  options,
  value,
  onChange,
  small = false,
}: SegmentsProps<V>) {
  return (
    <fieldset aria-label={label} className="flex gap-0.5 rounded-md bg-raised p-0.5">
      {options.map((option) => (
        <button
          key={option.value}
          type="button"
          aria-pressed={option.value === value}
          onClick={() => onChange(option.value)}
          className={`flex-1 whitespace-nowrap rounded px-2 font-medium text-soft hover:text-text aria-pressed:font-semibold ${small ? "h-6 text-xs" : "h-8"} ${option.tone ? TONES[option.tone] : PLAIN}`}
        >
          {option.text}
        </button>
      ))}
    </fieldset>
  );
}
