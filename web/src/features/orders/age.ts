/** An order's id is its record's sequence, and above that its place in the record, where several came in one. */
const SEQUENCES = 2 ** 40;

interface Aged {
  readonly order_id: number;
}

/** To sort orders: the one that the exchange accepted last comes first; of one record, that in the last place. */
export const newestFirst = (a: Aged, b: Aged): number =>
  (b.order_id % SEQUENCES) - (a.order_id % SEQUENCES) || b.order_id - a.order_id;
