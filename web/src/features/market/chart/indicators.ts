/**
 * Indicators, for drawing only: they are computed from places on a screen, and nobody trades on their digits. Each answers one
 * value per candle, null where there are too few before it.
 */

export interface Bar {
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly volume: number;
  /** Milliseconds. */
  readonly start: number;
}

type Line = (number | null)[];

/** The mean of the last `length` closes. */
export function movingAverage(bars: readonly Bar[], length: number): Line {
  let sum = 0;
  return bars.map((bar, place) => {
    sum += bar.close - (bars[place - length]?.close ?? 0);
    return place < length - 1 ? null : sum / length;
  });
}

/** The same, where each close weighs more than the one before it. */
export function exponentialAverage(bars: readonly Bar[], length: number): Line {
  const weight = 2 / (length + 1);
  let average = 0;
  return bars.map((bar, place) => {
    average = place ? average + weight * (bar.close - average) : bar.close;
    return place < length - 1 ? null : average;
  });
}

/** The moving average and two standard deviations around it (Bollinger). */
export function bands(
  bars: readonly Bar[],
  length = 20,
  width = 2,
): { upper: Line; middle: Line; lower: Line } {
  const middle = movingAverage(bars, length);
  const spread = bars.map((_, place) => {
    const mean = middle[place];
    if (mean === null || mean === undefined) return null;
    const squares = bars
      .slice(place - length + 1, place + 1)
      .reduce((sum, bar) => sum + (bar.close - mean) ** 2, 0);
    return width * Math.sqrt(squares / length);
  });
  const around = (sign: number) =>
    middle.map((mean, place) => (mean === null ? null : mean + sign * (spread[place] ?? 0)));
  return { upper: around(1), middle, lower: around(-1) };
}

/** Relative strength, 0 to 100, with Wilder's smoothing. */
export function relativeStrength(bars: readonly Bar[], length = 14): Line {
  let [up, down] = [0, 0];
  return bars.map((bar, place) => {
    const change = place ? bar.close - (bars[place - 1]?.close ?? bar.close) : 0;
    const [gain, loss] = [Math.max(change, 0), Math.max(-change, 0)];
    if (place <= length) {
      up += gain / length;
      down += loss / length;
    } else {
      up += (gain - up) / length;
      down += (loss - down) / length;
    }
    if (place < length) return null;
    return down === 0 ? 100 : 100 - 100 / (1 + up / down);
  });
}

/** The mean price of each day so far (UTC), weighted by what traded at it. */
export function volumeWeighted(bars: readonly Bar[]): Line {
  let [day, worth, volume] = [-1, 0, 0];
  return bars.map((bar) => {
    const today = Math.floor(bar.start / 86_400_000);
    if (today !== day) [day, worth, volume] = [today, 0, 0];
    worth += ((bar.high + bar.low + bar.close) / 3) * bar.volume;
    volume += bar.volume;
    return volume ? worth / volume : null;
  });
}

export const INDICATORS = ["ma20", "ma50", "ema21", "bollinger", "vwap", "rsi"] as const;
export type Indicator = (typeof INDICATORS)[number];

export interface Drawn {
  readonly name: string;
  readonly color: string;
  /** Its own pane below the candles. */
  readonly apart?: boolean;
  readonly values: Line;
}

/** The lines of the chosen indicators. */
export function linesOf(chosen: readonly Indicator[], bars: readonly Bar[]): Drawn[] {
  const lines: Drawn[] = [];
  for (const indicator of chosen) {
    if (indicator === "ma20")
      lines.push({ name: "MA 20", color: "#e0a100", values: movingAverage(bars, 20) });
    if (indicator === "ma50")
      lines.push({ name: "MA 50", color: "#c45ad6", values: movingAverage(bars, 50) });
    if (indicator === "ema21")
      lines.push({ name: "EMA 21", color: "#3aa0e8", values: exponentialAverage(bars, 21) });
    if (indicator === "vwap") lines.push({ name: "VWAP", color: "#e86f3a", values: volumeWeighted(bars) });
    if (indicator === "rsi")
      lines.push({ name: "RSI 14", color: "#8f7bea", apart: true, values: relativeStrength(bars) });
    if (indicator === "bollinger") {
      const { upper, middle, lower } = bands(bars);
      lines.push({ name: "BB +2σ", color: "#6d8bb5", values: upper });
      lines.push({ name: "BB 20", color: "#6d8bb5", values: middle });
      lines.push({ name: "BB −2σ", color: "#6d8bb5", values: lower });
    }
  }
  return lines;
}
