import { expect, test } from "vitest";
import { newestFirst } from "@/features/orders/age";

test("orders stand by the sequence of their record, a second leg beside its first", () => {
  const [old, first, last] = [{ order_id: 7 }, { order_id: 8 }, { order_id: 9 }];
  const second = { order_id: 8 + 2 ** 40 };
  expect([old, second, last, first].sort(newestFirst)).toEqual([last, second, first, old]);
});
