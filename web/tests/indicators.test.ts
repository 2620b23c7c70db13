import { expect, test } from "vitest";
import {
  type Bar,
  bands,
  exponentialAverage,
  movingAverage,
  relativeStrength,
  volumeWeighted,
} from "@/features/market/chart/indicators";

const bars = (closes: number[]): Bar[] =>
  closes.map((close, place) => ({
    open: close,
    high: close,
    low: close,
    close,
    volume: place + 1,
    start: place * 60_000,
  }));

test("averages begin when there is enough to average", () => {
  expect(movingAverage(bars([1, 2, 3, 4, 5]), 3)).toEqual([null, null, 2, 3, 4]);
  expect(exponentialAverage(bars([2, 4, 8]), 3)).toEqual([null, null, 5.5]);
});

test("bands are two deviations around the mean, and none around a constant", () => {
  const { upper, middle, lower } = bands(bars([1, 3, 1, 3]), 2);
  expect([upper[1], middle[1], lower[1]]).toEqual([4, 2, 0]);
  expect(bands(bars([5, 5, 5]), 2).upper).toEqual([null, 5, 5]);
});

test("strength is 100 when it only rises, 0 when it only falls, and 50 in between", () => {
  const up = Array.from({ length: 20 }, (_, n) => n + 1);
  expect(relativeStrength(bars(up)).at(-1)).toBe(100);
  expect(relativeStrength(bars(up.toReversed())).at(-1)).toBe(0);
  expect(relativeStrength(bars([1, 2, 1, 2, 1]), 4).at(-1)).toBe(50);
});

test("the volume-weighted price begins anew with each day", () => {
  const [first, second] = bars([10, 20]) as [Bar, Bar];
  expect(volumeWeighted([first, second])).toEqual([10, 50 / 3]);
  expect(volumeWeighted([first, { ...second, start: 86_400_000 }])).toEqual([10, 20]);
});
