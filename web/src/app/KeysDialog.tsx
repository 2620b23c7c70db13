import { type Key, t } from "@/lib/i18n";
import { Dialog } from "@/ui/Dialog";

const KEYS: readonly (readonly [string, Key])[] = [
  ["B", "keys.buy"],
  ["S", "keys.sell"],
  ["L", "keys.limit"],
  ["M", "keys.market"],
  ["P", "keys.price"],
  ["A", "keys.amount"],
  ["↑ ↓", "keys.tick"],
  ["Enter", "keys.submit"],
  ["Esc", "keys.leave"],
  ["X", "keys.cancel_all"],
  ["/", "keys.markets"],
  ["?", "keys.help"],
];

/** What the keyboard does. */
export function KeysDialog({ onClose }: { readonly onClose: () => void }) {
  return (
    <Dialog title={t("keys.title")} onClose={onClose}>
      <dl className="grid grid-cols-[auto_1fr] items-center gap-x-4 gap-y-1.5">
        {KEYS.map(([key, name]) => (
          <div key={key} className="contents">
            <dt>
              <kbd className="inline-block min-w-8 rounded border border-line bg-raised px-2 py-0.5 text-center font-sans text-xs">
                {key}
              </kbd>
            </dt>
            <dd>{t(name)}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
