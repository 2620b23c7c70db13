import { expect, it } from "vitest";
import { qrOf } from "@/lib/qr";

const ADDRESS = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
/** The same code by another encoder (version 3, level M, mask 0), each row as a number in base 32. */
const ROWS = [
  "fs8orv",
  "85luq1",
  "bkcpat",
  "bkavqt",
  "blotqt",
  "848ci1",
  "ftalbv",
  "vrg0",
  "akhj0i",
  "6h9j39",
  "4u563l",
  "d95vg9",
  "2kpmbb",
  "53emrd",
  "1e0k1d",
  "eb7q5a",
  "bds32o",
  "jl32d",
  "8ldh2v",
  "49tu1a",
  "af1nfp",
  "1gnoh",
  "fsklqp",
  "84rb8r",
  "blaifo",
  "bkt2kv",
  "blojst",
  "84susq",
  "ftj3pr",
];

it("draws an address as other encoders do", () => {
  const rows = qrOf(ADDRESS).map((row) => Number.parseInt(row.map((dark) => (dark ? "1" : "0")).join(""), 2));
  expect(rows.map((row) => row.toString(32))).toEqual(ROWS);
});

it("refuses what has no room", () => {
  expect(() => qrOf("x".repeat(43))).toThrow("42 bytes");
});
