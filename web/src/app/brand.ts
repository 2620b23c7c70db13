/** The brand: `web/brand.json` is the one file that a white label changes (and the logo beside it). */
import type { Translated } from "@/lib/i18n";
import brandFile from "../../brand.json";
import type { Deployment } from "./identity";

export interface Brand {
  readonly name: string;
  readonly tagline: Translated;
  readonly logo: string;
  /** The contract that this build is of; null: the browser goes by what it was told first. */
  readonly deployment: Deployment | null;
  readonly colors: Readonly<Record<"dark" | "light", Readonly<Record<string, string>>>>;
  readonly legal: {
    readonly operator: string;
    readonly notice: Translated;
    readonly links: readonly { readonly text: Translated; readonly href: string }[];
  };
}

export const brand: Brand = brandFile;
