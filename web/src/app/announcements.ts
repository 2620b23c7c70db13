/** What the operator tells everybody: asked for again and again, and put away by the user one by one. */
import { create } from "zustand";
import { api } from "@/lib/api/client";
import type { Announcement } from "@/lib/api/types";
import { keep, recall } from "@/lib/storage";

const EVERY_MS = 15_000;
const HIDDEN_SLOWER = 4;
const KEPT = "announcements";

interface Told {
  readonly shown: readonly Announcement[];
  /** Ids of those that this browser's user has put away. */
  readonly dismissed: readonly number[];
}

export const useAnnouncements = create<Told>(() => ({ shown: [], dismissed: recall<number[]>(KEPT) ?? [] }));

/** Those that the user has not put away, the most severe first. */
export function unread({ shown, dismissed }: Told): Announcement[] {
  const order = ["critical", "warning", "info"];
  return shown
    .filter((one) => !dismissed.includes(one.announcement_id))
    .sort((one, other) => order.indexOf(one.severity) - order.indexOf(other.severity));
}

/** The text in a language, else in another of the same tongue, else in English; and which language it is. */
export function inLanguage(
  texts: Readonly<Record<string, string>>,
  tag: string,
): { tag: string; text: string } {
  const tongue = tag.split("-")[0];
  const found = tag in texts ? tag : Object.keys(texts).find((one) => one.split("-")[0] === tongue);
  return { tag: found ?? "en", text: texts[found ?? "en"] ?? "" };
}

export function dismissAnnouncement(id: number): void {
  const { shown, dismissed } = useAnnouncements.getState();
  const there = new Set(shown.map((one) => one.announcement_id));
  const next = [...dismissed.filter((one) => there.has(one)), id];
  keep(KEPT, next);
  useAnnouncements.setState({ dismissed: next });
}

/** Ask now. What was told before stays while the exchange is away. */
export async function askAnnouncements(): Promise<void> {
  const found = await api.announcements().catch(() => null);
  if (found) useAnnouncements.setState({ shown: found.announcements });
}

export async function watchAnnouncements(): Promise<void> {
  for (;;) {
    await askAnnouncements();
    await new Promise((resolve) =>
      setTimeout(resolve, document.hidden ? EVERY_MS * HIDDEN_SLOWER : EVERY_MS),
    );
  }
}
