import { describe, expect, test } from "vitest";
import { fixed, parseDecimal, scaleExactly, trimmed } from "@/lib/money/decimal";
import { MarketUnits } from "@/lib/money/market";
import { BTC, RULES, USDC, units } from "./markets";

describe("decimals", () => {
  test.each(["", ".", "-1", "1e3", "1.2.3", "abc", "0x10", "１"])("%j is no amount", (text) => {
    expect(parseDecimal(text)).toBeNull();
  });

  test("a comma that may group thousands is refused; elsewhere it is the point", () => {
    for (const text of ["60,123", "1,000", " 123456,789 ", "1,000,000", "1,234.5"])
      expect(parseDecimal(text), text).toBeNull();
    for (const text of ["60,12", "60,1234", "0,125", ",125", "9500,1"])
      expect(parseDecimal(text), text).toEqual(parseDecimal(text.replace(",", ".")));
    expect(units.parsePrice("60,123")).toBeNull();
    expect(units.parsePrice("9500,1")).toBe(950_010n);
  });

  test("digits beyond a float's are kept", () => {
    const typed = parseDecimal("9007199254740993.123456789012345678");
    expect(typed && fixed(typed.digits, typed.places)).toBe("9007199254740993.123456789012345678");
  });

  test("nothing is rounded behind the user's back", () => {
    const typed = parseDecimal("0.15");
    expect(typed && scaleExactly(typed, 10n, 1n)).toBeNull();
    expect(typed && scaleExactly(typed, 100n, 1n)).toBe(15n);
  });

  test("text and back, trailing zeros or none", () => {
    expect(fixed(-5n, 2)).toBe("-0.05");
    expect(fixed(1_500_000n, 6)).toBe("1.500000");
    expect(trimmed(1_500_000n, 6)).toBe("1.5");
    expect(trimmed(100n, 0)).toBe("100");
  });
});

describe("a market's units", () => {
  test("prices are per coin, quantities in coins", () => {
    expect(units.price(950_000n)).toBe("9500.0");
    expect(units.quantity(250n)).toBe("0.0250");
    expect(units.parsePrice("9500.1")).toBe(950_010n);
    expect(units.parseQuantity("0.025")).toBe(250n);
  });

  test("what is off the tick or the lot is no price and no quantity", () => {
    expect(units.parsePrice("9500.15")).toBeNull();
    expect(units.parsePrice("0")).toBeNull();
    expect(units.parseQuantity("0.00005")).toBeNull();
  });

  test("the nearest price is on the tick", () => {
    expect(units.nearestPrice("9500.15")).toBe(950_010n);
    expect(units.nearestPrice("9500.15", true)).toBe(950_020n);
    expect(units.nearestPrice("9500.1", true)).toBe(950_010n);
  });

  test("notional is price times quantity, exactly, for every price and quantity it reads", () => {
    for (const [price, quantity] of [
      ["0.1", "0.0001"],
      ["123456.7", "98765.4321"],
    ] as const) {
      const [p, q] = [units.parsePrice(price), units.parseQuantity(quantity)];
      expect(p && q && units.quoteAmount(p * q)).toBe(
        fixed(BigInt(price.replace(".", "")) * BigInt(quantity.replace(".", "")) * 10n, 6),
      );
    }
  });

  test("a lot that is no power of ten", () => {
    const odd = new MarketUnits({ ...RULES, lot_size: "25000", tick_size: "1" }, BTC, USDC);
    expect(odd.quantity(3n)).toBe("0.00075");
    expect(odd.parsePrice(odd.price(777n))).toBe(777n);
  });
});
