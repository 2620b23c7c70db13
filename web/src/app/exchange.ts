/** What the exchange is: loaded once, kept in the browser so that the app knows the contract also when the API is away. */
import { create } from "zustand";
import { api } from "@/lib/api/client";
import { sentenceOf } from "@/lib/api/errors";
import type { Exchange, Market, Status } from "@/lib/api/types";
import { t } from "@/lib/i18n";
import { type MarketUnits, unitsOf } from "@/lib/money/market";
import { keep, recall } from "@/lib/storage";
import { brand } from "./brand";
import { builtOtherwise, type Change, changesOf, trusted } from "./identity";

interface Known {
  readonly exchange: Exchange | null;
  readonly units: ReadonlyMap<string, MarketUnits>;
  /** The exchange's clock minus ours, in milliseconds. */
  readonly clockAhead: number;
  readonly status: Status | null;
  /** The markets as they are now, by id: what they take and their bounds change while the rest of their rules stays. */
  readonly markets: ReadonlyMap<number, Market>;
  /** Why the last status could not be had. */
  readonly away: string | null;
  /** It has said itself, in this page, that it is the one that is known here: what the browser keeps is any script's word. */
  readonly confirmed: boolean;
  /** It says that it is another than the one this browser knows; until the user takes that, the known one is kept. */
  readonly changed: { readonly changes: readonly Change[]; accept(): void } | null;
}

const stored = trusted(recall<Exchange>("exchange"), brand.deployment);
const RETRY_MS = 1_500;
const STATUS_MS = 4_000;

export const useExchange = create<Known>(() => ({
  exchange: stored,
  units: stored ? unitsOf(stored) : new Map(),
  clockAhead: 0,
  status: null,
  markets: new Map(),
  away: null,
  confirmed: false,
  changed: null,
}));

/** Load it, again and again until it comes, and then watch the exchange's state. */
export async function watchExchange(): Promise<void> {
  for (;;) {
    try {
      const exchange = await api.exchange();
      await accepted(exchange);
      keep("exchange", exchange);
      useExchange.setState({
        exchange,
        units: unitsOf(exchange),
        confirmed: true,
      });
      break;
    } catch (error) {
      useExchange.setState({ away: sentenceOf(error) });
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
  for (;;) {
    try {
      const [status, markets] = await Promise.all([api.status(), api.markets().catch(() => null)]);
      useExchange.setState({
        status,
        ...(markets && { markets: new Map(markets.map((market) => [market.market_id, market])) }),
        away: null,
        clockAhead: status.server_time - Date.now(),
      });
    } catch (error) {
      useExchange.setState({ away: sentenceOf(error) });
    }
    await new Promise((resolve) => setTimeout(resolve, document.hidden ? STATUS_MS * 4 : STATUS_MS));
  }
}

/** Wait until the user takes it, if it is another than last time. */
async function accepted(found: Exchange): Promise<void> {
  useExchange.setState({ clockAhead: found.server_time - Date.now() });
  const known = useExchange.getState().exchange;
  const changes = known ? changesOf(known, found) : builtOtherwise(found, brand.deployment);
  if (!changes.length) return;
  await new Promise<void>((accept) => useExchange.setState({ changed: { changes, accept } }));
  useExchange.setState({ changed: null });
}

/** What a market takes now: `open`, `auction`, `halted` or `delisted`; as it was loaded until the first look. */
export function useMarketStatus(id: number): string | undefined {
  return useExchange(
    (known) =>
      known.markets.get(id)?.status ?? known.exchange?.markets.find((one) => one.market_id === id)?.status,
  );
}

/** The exchange, once it is known. */
export function theExchange(): Exchange {
  const { exchange } = useExchange.getState();
  if (!exchange) throw new Error("the exchange is not known yet");
  return exchange;
}

/**
 * The exchange, to sign for it or to pay into it: once it has said itself that it is the known one. Orders may be cancelled and
 * the contract left before.
 */
export function confirmedExchange(): Exchange {
  const { confirmed, changed } = useExchange.getState();
  if (changed) throw new Error(t("banner.changed_first"));
  if (!confirmed) throw new Error(t("banner.unconfirmed"));
  return theExchange();
}

/** The exchange's time in milliseconds, whatever this machine's clock says. */
export const exchangeNow = (): number => Date.now() + useExchange.getState().clockAhead;
