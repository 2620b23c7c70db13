/** What the tour shows, and where the card goes beside it. */
import type { Part } from "@/app/parts";
import type { Key } from "@/lib/i18n";

export interface TourStep {
  readonly title: Key;
  readonly text: Key;
  /** What it points at; when that is not there, the card stands alone. */
  readonly at: string;
  /** The part of the page that a phone must show for it. */
  readonly part?: Part;
}

export const STEPS: readonly TourStep[] = [
  { title: "tour.book", text: "tour.book_text", at: "[data-testid=book]", part: "book" },
  { title: "tour.wallet", text: "tour.wallet_text", at: "[data-tour=wallet]" },
  { title: "tour.form", text: "tour.form_text", at: "[data-testid=order-form]", part: "trade" },
  { title: "tour.account", text: "tour.account_text", at: "[data-tour=account]", part: "account" },
  { title: "tour.proof", text: "tour.proof_text", at: 'header a[href="/proof"]' },
  { title: "tour.leave", text: "tour.leave_text", at: 'footer a[href="/leave"]' },
];

export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

const GAP = 12;

const clamp = (value: number, most: number): number => Math.max(GAP, Math.min(value, most - GAP));

/** Where a card of some size stands: beside the box if there is room, else below or above it, else over its end. */
export function placeCard(
  box: Box | null,
  card: { width: number; height: number },
  screen: { width: number; height: number },
): { left: number; top: number } {
  const within = (left: number, top: number) => ({
    left: clamp(left, screen.width - card.width),
    top: clamp(top, screen.height - card.height),
  });
  if (!box) return within((screen.width - card.width) / 2, (screen.height - card.height) / 2);
  const middle = box.top + (box.height - card.height) / 2;
  if (box.left >= card.width + 2 * GAP) return within(box.left - card.width - GAP, middle);
  const end = box.left + box.width;
  if (screen.width - end >= card.width + 2 * GAP) return within(end + GAP, middle);
  const across = box.left + (box.width - card.width) / 2;
  const below = box.top + box.height + GAP;
  if (below + card.height + GAP <= screen.height) return within(across, below);
  if (box.top >= card.height + 2 * GAP) return within(across, box.top - card.height - GAP);
  return within(across, screen.height - card.height);
}
