/** The brand: `web/brand.json` is the one file that a white label changes (and the logo beside it). */
import type { Translated } from "@/lib/i18n";
import brandFile from "../../brand.json";

export interface Brand {
  readonly name: string;
  readonly tagline: Translated;
  readonly logo: string;
  readonly colors: Readonly<Record<"dark" | "light", Readonly<Record<string, string>>>>;
  readonly legal: {
    readonly operator: string;
    readonly notice: Translated;
    readonly links: readonly { readonly text: Translated; readonly href: string }[];
  };
}

export const brand: Brand = brandFile;
