/** Whether the tour runs, and whether it was seen: a newcomer is asked once, and never again. */
import { create } from "zustand";
import { keep, recall } from "@/lib/storage";

const SEEN = "tour";

export const useTour = create<{ running: boolean; offered: boolean }>(() => ({
  running: false,
  offered: recall(SEEN) === null && recall("wallet") === null,
}));

export function startTour(): void {
  useTour.setState({ running: true });
}

/** Taken, broken off or declined: the browser remembers. */
export function endTour(): void {
  keep(SEEN, "seen");
  useTour.setState({ running: false, offered: false });
}
