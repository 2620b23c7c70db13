import { beforeEach, expect, test, vi } from "vitest";
import { Candles } from "@/features/market/chart/candles";
import { api } from "@/lib/api/client";
import type { Candle } from "@/lib/api/types";
import type { Listener, Message } from "@/lib/stream/client";

let listener: Listener;
vi.mock("@/app/stream", () => ({
  stream: {
    subscribe: (_: string, given: Listener) => {
      listener = given;
      return () => undefined;
    },
  },
}));

const candle = (minute: number, close = "1") => ({ start_ms: minute * 60_000, close }) as Candle;
const say = (candles: Candle[]) => listener.message({ type: "diff", candles } as unknown as Message);
const view = { replace: vi.fn(), update: vi.fn(), state: vi.fn(), failed: vi.fn() };
const asked = vi.spyOn(api, "candles");

async function opened(candles: Candle[]): Promise<Candles> {
  asked.mockResolvedValue({ candles } as never);
  const chart = new Candles("BTC-USDC", "1m", view);
  await vi.waitFor(() => expect(view.replace).toHaveBeenCalled());
  return chart;
}

beforeEach(() => vi.clearAllMocks());

test("a chart that was opened before the first trade draws it", async () => {
  const chart = await opened([]);
  asked.mockResolvedValue({ candles: [candle(1)] } as never);
  say([candle(1)]);
  await vi.waitFor(() => expect(view.replace).toHaveBeenCalledTimes(2));
  expect(chart.list).toEqual([candle(1)]);
  say([candle(1, "2"), candle(2)]);
  expect(chart.list).toEqual([candle(1, "2"), candle(2)]);
  expect(view.update).toHaveBeenCalledTimes(1);
});

test("nothing is drawn of a list that has not come yet, nor asked for twice", async () => {
  asked.mockReturnValue(new Promise(() => undefined));
  new Candles("BTC-USDC", "1m", view);
  say([candle(1)]);
  say([candle(1)]);
  expect(asked).toHaveBeenCalledTimes(1);
  expect(view.replace).not.toHaveBeenCalled();
});
