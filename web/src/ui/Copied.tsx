import { useState } from "react";
import { t } from "@/lib/i18n";

/** A hash or an address: short, copied whole by a click. Its characters stand left to right in every language. */
export function Copied({ text, whole = false }: { readonly text: string; readonly whole?: boolean }) {
  const [copied, setCopied] = useState(false);
  const copy = () => void navigator.clipboard?.writeText(text).then(() => setCopied(true));
  const short = whole || text.length < 20 ? text : `${text.slice(0, 8)}…${text.slice(-6)}`;
  return (
    <button
      type="button"
      dir="ltr"
      onClick={copy}
      title={text}
      data-copies={text}
      className={`font-mono text-text hover:text-accent ${whole ? "break-all text-start" : ""}`}
    >
      {copied ? t("copied") : short}
    </button>
  );
}
