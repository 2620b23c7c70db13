/**
 * Nonces that are never used twice: they start at the time in milliseconds and count on, so that neighbours share a slot on
 * chain. Orders that execute once set the top bit, and are counted apart.
 */
export const SINGLE_FILL = 1n << 63n;

export class Nonces {
  private multiple: bigint;
  private single: bigint;

  constructor(start: bigint) {
    this.multiple = start;
    this.single = start;
  }

  next(singleFill: boolean): bigint {
    if (singleFill) return ++this.single | SINGLE_FILL;
    return ++this.multiple;
  }

  /** Skip everything below the account's minimum nonce. */
  raiseTo(minimum: bigint): void {
    if (this.multiple < minimum) this.multiple = minimum - 1n;
    if (this.single < minimum) this.single = minimum - 1n;
  }
}
