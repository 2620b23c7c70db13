/**
 * A QR code of 42 bytes of text, which an address is, drawn here and by nobody else: version 3 (29 modules), level M, mask 0.
 * ISO/IEC 18004.
 */
const SIZE = 29;
const DATA = 44;
const CORRECTION = 26;
const LONGEST = 42;
const ALIGNMENT = 22;
/** Level M and mask 0, with their check bits. */
const FORMAT = 0x5412;

const EXP = new Uint8Array(512);
const LOG = new Uint8Array(256);
for (let i = 0, x = 1; i < 255; i++) {
  EXP[i] = x;
  EXP[i + 255] = x;
  LOG[x] = i;
  x = x & 0x80 ? (x << 1) ^ 0x11d : x << 1;
}
const times = (a: number, b: number): number =>
  a && b ? (EXP[(LOG[a] as number) + (LOG[b] as number)] as number) : 0;

/** The Reed-Solomon check bytes of data. */
function correction(data: Uint8Array): Uint8Array {
  let generator = [1];
  for (let i = 0; i < CORRECTION; i++) {
    const next = [...generator, 0];
    generator.forEach((factor, at) => {
      next[at + 1] = (next[at + 1] as number) ^ times(factor, EXP[i] as number);
    });
    generator = next;
  }
  const rest = new Uint8Array(DATA + CORRECTION);
  rest.set(data);
  for (let i = 0; i < DATA; i++) {
    const lead = rest[i] as number;
    generator.forEach((factor, at) => {
      rest[i + at] = (rest[i + at] as number) ^ times(factor, lead);
    });
  }
  return rest.slice(DATA);
}

/** Mode, length, bytes and padding. */
function dataOf(bytes: Uint8Array): Uint8Array {
  const bits = ["0100", bytes.length.toString(2).padStart(8, "0")];
  for (const byte of bytes) bits.push(byte.toString(2).padStart(8, "0"));
  let text = `${bits.join("")}0000`.slice(0, DATA * 8);
  text = text.padEnd(Math.ceil(text.length / 8) * 8, "0");
  const data = new Uint8Array(DATA);
  for (let i = 0; i < DATA; i++)
    data[i] = i * 8 < text.length ? Number.parseInt(text.slice(i * 8, i * 8 + 8), 2) : 0;
  for (let i = text.length / 8, pad = 0xec; i < DATA; i++, pad ^= 0xec ^ 0x11) data[i] = pad;
  return data;
}

/** The modules, row by row: true is dark. */
export function qrOf(text: string): boolean[][] {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length > LONGEST) throw new Error(`a code of this size holds ${LONGEST} bytes`);
  const dark = Array.from({ length: SIZE }, () => new Array<boolean>(SIZE).fill(false));
  const taken = Array.from({ length: SIZE }, () => new Array<boolean>(SIZE).fill(false));
  const set = (x: number, y: number, value: boolean) => {
    if (x < 0 || y < 0 || x >= SIZE || y >= SIZE) return;
    (dark[y] as boolean[])[x] = value;
    (taken[y] as boolean[])[x] = true;
  };
  drawFixed(set);
  const data = dataOf(bytes);
  const words = [...data, ...correction(data)];
  let bit = 0;
  for (let right = SIZE - 1; right >= 1; right -= 2) {
    if (right === 6) right = 5;
    for (let step = 0; step < SIZE; step++) {
      const y = ((right + 1) & 2) === 0 ? SIZE - 1 - step : step;
      for (const x of [right, right - 1]) {
        if (taken[y]?.[x]) continue;
        const value = (((words[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1) === 1;
        (dark[y] as boolean[])[x] = value !== ((x + y) % 2 === 0);
        bit++;
      }
    }
  }
  return dark;
}

/** Finders, alignment, timing and format: the same in every code of this kind. */
function drawFixed(set: (x: number, y: number, value: boolean) => void): void {
  for (let i = 0; i < SIZE; i++) {
    set(6, i, i % 2 === 0);
    set(i, 6, i % 2 === 0);
  }
  for (const [cx, cy] of [
    [3, 3],
    [SIZE - 4, 3],
    [3, SIZE - 4],
  ] as const)
    for (let dy = -4; dy <= 4; dy++)
      for (let dx = -4; dx <= 4; dx++) {
        const ring = Math.max(Math.abs(dx), Math.abs(dy));
        set(cx + dx, cy + dy, ring !== 2 && ring !== 4);
      }
  for (let dy = -2; dy <= 2; dy++)
    for (let dx = -2; dx <= 2; dx++)
      set(ALIGNMENT + dx, ALIGNMENT + dy, Math.max(Math.abs(dx), Math.abs(dy)) !== 1);
  const bit = (i: number) => ((FORMAT >> i) & 1) === 1;
  for (let i = 0; i <= 5; i++) set(8, i, bit(i));
  set(8, 7, bit(6));
  set(8, 8, bit(7));
  set(7, 8, bit(8));
  for (let i = 9; i < 15; i++) set(14 - i, 8, bit(i));
  for (let i = 0; i < 8; i++) set(SIZE - 1 - i, 8, bit(i));
  for (let i = 8; i < 15; i++) set(8, SIZE - 15 + i, bit(i));
  set(8, SIZE - 8, true);
}
