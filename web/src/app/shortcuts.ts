/** Keys that do something when no field and no dialog has them. */
import { useEffect, useRef } from "react";

const TAKEN = "input, select, textarea, [contenteditable], dialog[open]";

/** Run what belongs to a key, such as `b` or `?`, while the component stands. */
export function useShortcuts(keys: Readonly<Record<string, () => void>>): void {
  const now = useRef(keys);
  now.current = keys;
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      const target = event.target as HTMLElement | null;
      if (target?.closest(TAKEN) || document.querySelector("dialog[open]")) return;
      const act = now.current[event.key.length === 1 ? event.key.toLowerCase() : event.key];
      if (!act) return;
      event.preventDefault();
      act();
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, []);
}
