import { useEffect, useState } from "react";
import { exchangeNow } from "@/app/exchange";
import { localTime, t } from "@/lib/i18n";

/** When the exchange ends the orders of a page that it does not hear, in its milliseconds; and that it was to, once that is past. */
export function Ending({ at }: { readonly at: number }) {
  const [past, setPast] = useState(() => at <= exchangeNow());
  useEffect(() => {
    const left = at - exchangeNow();
    setPast(left <= 0);
    if (left <= 0) return;
    const timer = setTimeout(() => setPast(true), left);
    return () => clearTimeout(timer);
  }, [at]);
  return <>{t(past ? "disconnect.due" : "disconnect.lost", { time: localTime(at) })}</>;
}
