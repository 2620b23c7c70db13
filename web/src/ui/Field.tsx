import { type InputHTMLAttributes, type ReactNode, type SelectHTMLAttributes, useId } from "react";

interface FieldProps extends Omit<InputHTMLAttributes<HTMLInputElement>, "onChange"> {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  /** What is counted, shown at the end. */
  readonly unit?: ReactNode;
  /** What is wrong; read out with the field. */
  readonly error?: string | undefined;
  readonly hint?: string | undefined;
}

/** A labelled input with its unit and what is wrong with it. */
export function Field({ label, value, onChange, unit, error, hint, className = "", ...rest }: FieldProps) {
  const id = useId();
  const note = error ?? hint;
  return (
    <div className={`flex flex-col gap-1 ${className}`}>
      <div
        className={`flex h-10 items-center gap-2 rounded-md border bg-raised px-3 focus-within:border-accent ${error ? "border-sell" : "border-line"}`}
      >
        <label htmlFor={id} className="shrink-0 text-xs text-soft">
          {label}
        </label>
        <input
          id={id}
          value={value}
          onChange={(event) => onChange(event.target.value)}
          aria-invalid={error ? true : undefined}
          aria-describedby={note ? `${id}-note` : undefined}
          autoComplete="off"
          spellCheck={false}
          {...rest}
          className="min-w-0 flex-1 bg-transparent text-end text-text outline-none placeholder:text-faint"
        />
        {unit && <span className="shrink-0 text-xs text-soft">{unit}</span>}
      </div>
      {note && (
        <p id={`${id}-note`} className={`text-xs ${error ? "text-sell" : "text-soft"}`}>
          {note}
        </p>
      )}
    </div>
  );
}

interface SelectProps extends Omit<SelectHTMLAttributes<HTMLSelectElement>, "onChange"> {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly options: readonly { readonly value: string; readonly text: string; readonly disabled?: boolean }[];
  /** The label stands above what is chosen, where both have no room beside one another. */
  readonly stacked?: boolean;
}

export function Select({
  label,
  value,
  onChange,
  options,
  className = "",
  stacked = false,
  ...rest
}: SelectProps) {
  const id = useId();
  const lines = stacked ? "flex-col gap-0.5 py-1.5" : "h-9 items-center gap-2";
  return (
    <div className={`flex ${lines} rounded-md border border-line bg-raised px-3 ${className}`}>
      <label htmlFor={id} className="shrink-0 text-xs text-soft">
        {label}
      </label>
      <select
        id={id}
        value={value}
        onChange={(event) => onChange(event.target.value)}
        {...rest}
        className={`min-w-0 flex-1 bg-raised text-text outline-none ${stacked ? "" : "text-end"}`}
      >
        {options.map((option) => (
          <option key={option.value} value={option.value} disabled={option.disabled}>
            {option.text}
          </option>
        ))}
      </select>
    </div>
  );
}

interface SwitchProps {
  readonly label: string;
  readonly checked: boolean;
  readonly onChange: (checked: boolean) => void;
  readonly disabled?: boolean;
  /** The id of what says what it does. */
  readonly describedBy?: string;
}

/** Something that is on or off from the moment on at which it is touched. */
export function Switch({ label, checked, onChange, disabled = false, describedBy }: SwitchProps) {
  return (
    <label className={`flex items-center gap-2 ${disabled ? "text-soft" : "text-text"}`}>
      <input
        type="checkbox"
        role="switch"
        checked={checked}
        aria-checked={checked}
        disabled={disabled}
        aria-describedby={describedBy}
        onChange={(event) => onChange(event.target.checked)}
        className="relative h-4 w-7 shrink-0 appearance-none rounded-full border border-soft bg-raised transition-colors before:absolute before:start-0.5 before:top-0.5 before:size-2.5 before:rounded-full before:bg-soft checked:border-accent checked:bg-accent checked:before:start-3.5 checked:before:bg-on-accent disabled:opacity-60"
      />
      {label}
    </label>
  );
}

interface CheckProps {
  readonly label: string;
  readonly checked: boolean;
  readonly onChange: (checked: boolean) => void;
  readonly disabled?: boolean;
}

export function Check({ label, checked, onChange, disabled = false }: CheckProps) {
  return (
    <label className={`flex items-center gap-2 text-xs ${disabled ? "text-faint" : "text-text"}`}>
      <input
        type="checkbox"
        checked={checked}
        disabled={disabled}
        onChange={(event) => onChange(event.target.checked)}
        className="size-3.5 accent-accent"
      />
      {label}
    </label>
  );
}
