/** Light and dark: the browser's wish until the user chooses. */
import { create } from "zustand";
import { keep, recall } from "@/lib/storage";
import { brand } from "./brand";

export type Theme = "dark" | "light";

function apply(theme: Theme): void {
  const root = document.documentElement;
  root.dataset.theme = theme;
  for (const [name, color] of Object.entries(brand.colors[theme])) root.style.setProperty(`--${name}`, color);
}

const wished: Theme = matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark";
const first = recall<Theme>("theme") ?? wished;
apply(first);

export const useTheme = create<{ theme: Theme; toggle(): void }>((set, get) => ({
  theme: first,
  toggle: () => {
    const theme = get().theme === "dark" ? "light" : "dark";
    apply(theme);
    keep("theme", theme);
    set({ theme });
  },
}));
