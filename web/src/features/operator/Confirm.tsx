import { type ReactNode, useId, useState } from "react";
import type { OperatorDone } from "@/lib/api/types";
import { t } from "@/lib/i18n";
import { useAction } from "@/lib/useAction";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { Failure } from "@/ui/States";
import { c } from "./texts";
import { isUnobeyed, Unobeyed } from "./Unobeyed";

const REASON = { least: 3, most: 500 };

export interface Asked {
  readonly title: string;
  /** What will happen, a sentence each. */
  readonly effects: readonly string[];
  readonly confirm: string;
  readonly danger?: boolean;
  /** Fields above the reason. */
  readonly fields?: ReactNode;
  /** Whether the fields can be sent as they are. */
  readonly ready?: boolean;
  readonly run: (reason: string) => Promise<OperatorDone>;
}

/** Says what will happen, asks why, and does it once the user confirms. It stays until the engine has obeyed, or is closed. */
export function Confirm({ asked, onClose }: { readonly asked: Asked; readonly onClose: () => void }) {
  const [reason, setReason] = useState("");
  /** The entry of a command that the engine has not answered. */
  const [unobeyed, setUnobeyed] = useState<number | null>(null);
  const action = useAction();
  const good = reason.trim().length >= REASON.least && (asked.ready ?? true);
  const go = async () => {
    await action.run(async () => {
      const done = await asked.run(reason.trim());
      if (isUnobeyed(done)) setUnobeyed(done.entry_id);
      else onClose();
    });
  };
  return (
    <Dialog title={asked.title} onClose={onClose} wide>
      <form
        className="flex flex-col gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          if (good && !action.busy && unobeyed === null) void go();
        }}
      >
        <ul className="list-disc ps-5 text-text">
          {asked.effects.map((effect) => (
            <li key={effect}>{effect}</li>
          ))}
        </ul>
        {asked.fields}
        <Lines
          label={c("confirm.reason")}
          hint={c("confirm.reason_hint")}
          value={reason}
          onChange={setReason}
        />
        {action.failed && <Failure>{action.failed}</Failure>}
        {unobeyed !== null && <Unobeyed entry={unobeyed} />}
        <div className="flex flex-wrap justify-end gap-2">
          <Button onClick={onClose}>{unobeyed === null ? c("confirm.leave") : t("close")}</Button>
          {unobeyed === null && (
            <Button
              type="submit"
              kind={asked.danger ? "danger" : "primary"}
              busy={action.busy}
              disabled={!good}
            >
              {action.busy ? t("loading") : asked.confirm}
            </Button>
          )}
        </div>
      </form>
    </Dialog>
  );
}

interface LinesProps {
  readonly label: string;
  readonly hint?: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly lang?: string;
}

/** A text of a sentence or two: line ends become spaces, since it is kept as one line. */
export function Lines({ label, hint, value, onChange, lang }: LinesProps) {
  const id = useId();
  return (
    <div className="flex flex-col gap-1">
      <label htmlFor={id} className="text-xs text-soft">
        {label}
      </label>
      <textarea
        id={id}
        rows={2}
        maxLength={REASON.most}
        value={value}
        lang={lang}
        dir={lang ? "auto" : undefined}
        aria-describedby={hint ? `${id}-hint` : undefined}
        onChange={(event) => onChange(event.target.value.replace(/\s*\n\s*/g, " "))}
        className="rounded-md border border-line bg-raised px-3 py-2 text-text outline-none focus:border-accent"
      />
      {hint && (
        <p id={`${id}-hint`} className="text-xs text-soft">
          {hint}
        </p>
      )}
    </div>
  );
}
