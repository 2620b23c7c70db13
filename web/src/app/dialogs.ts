/** Which dialog is open: one at a time, opened from anywhere. */
import { create } from "zustand";

export type DialogName = "wallet" | "deposit" | "one_click" | "markets" | "keys";

export const useDialog = create<{ open: DialogName | null }>(() => ({ open: null }));

export const openDialog = (open: DialogName): void => useDialog.setState({ open });
export const closeDialog = (): void => useDialog.setState({ open: null });
