/** Which part of the trade page a phone shows; from anywhere, since the tour goes through them. */
import { create } from "zustand";

export type Part = "chart" | "book" | "trade" | "account";
export const PARTS: readonly Part[] = ["chart", "book", "trade", "account"];

export const usePart = create<{ part: Part }>(() => ({ part: "chart" }));
export const showPart = (part: Part): void => usePart.setState({ part });
