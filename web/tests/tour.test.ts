import { expect, test } from "vitest";
import { placeCard, STEPS } from "@/features/tour/steps";

const WIDE = { width: 1440, height: 900 };
const PHONE = { width: 390, height: 844 };
const CARD = { width: 320, height: 180 };

test("a tour is short", () => {
  expect(STEPS.length).toBeGreaterThanOrEqual(4);
  expect(STEPS.length).toBeLessThanOrEqual(6);
});

const boxes = [
  { left: 800, top: 100, width: 270, height: 700 },
  { left: 0, top: 50, width: 100, height: 40 },
  { left: 0, top: 60, width: 390, height: 500 },
  { left: 0, top: 0, width: 1440, height: 900 },
  { left: 1_300, top: 870, width: 100, height: 20 },
  null,
];

test.each([WIDE, PHONE])("the card is always on the screen of %o", (screen) => {
  for (const box of boxes) {
    const { left, top } = placeCard(box, CARD, screen);
    expect(left).toBeGreaterThanOrEqual(12);
    expect(top).toBeGreaterThanOrEqual(12);
    expect(left + CARD.width).toBeLessThanOrEqual(screen.width - 12);
    expect(top + CARD.height).toBeLessThanOrEqual(screen.height - 12);
  }
});

test("the card stands beside what it speaks of, on either side, and below it on a phone", () => {
  expect(placeCard({ left: 800, top: 100, width: 270, height: 700 }, CARD, WIDE).left).toBe(468);
  expect(placeCard({ left: 0, top: 50, width: 100, height: 40 }, CARD, WIDE).left).toBe(112);
  expect(placeCard({ left: 0, top: 60, width: 390, height: 500 }, CARD, PHONE).top).toBe(572);
});
