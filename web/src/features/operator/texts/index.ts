/** The console's texts, apart from the app's: they are loaded with the console, so that traders never load them. */
import { useEffect, useState } from "react";
import { type Params, textOf, useLanguage } from "@/lib/i18n";
import { en } from "./en";

export type ConsoleKey = keyof typeof en;
export type ConsoleTexts = Readonly<Record<ConsoleKey, string>>;

export const CONSOLE_LANGUAGES: Readonly<Record<string, () => Promise<ConsoleTexts>>> = {
  en: () => Promise.resolve(en),
  "zh-CN": () => import("./zh").then(({ zh }) => zh),
  ar: () => import("./ar").then(({ ar }) => ar),
};

/** How an entry's outcome looks. */
export const OUTCOME_TONES = {
  asked: "plain",
  done: "good",
  applied: "good",
  refused: "bad",
  unknown: "warn",
} as const;

let texts: ConsoleTexts = en;

/** A text of the console in the user's language, filled in as `t` does. */
export function c(key: ConsoleKey, params: Params = {}): string {
  return textOf(texts, key, params);
}

/** A word that the exchange says, if there is a text for it; else the word itself. */
export function word(prefix: string, said: string): string {
  const key = `${prefix}.${said}`;
  return key in texts ? texts[key as ConsoleKey] : said;
}

/** Loads the console's texts in the user's language; false until they are there. */
export function useConsoleTexts(): boolean {
  const { tag } = useLanguage();
  const [loaded, setLoaded] = useState<string | null>(null);
  useEffect(() => {
    let over = false;
    const load = CONSOLE_LANGUAGES[tag] ?? CONSOLE_LANGUAGES.en;
    void load?.().then((found) => {
      if (over) return;
      texts = found;
      setLoaded(tag);
    });
    return () => {
      over = true;
    };
  }, [tag]);
  return loaded === tag;
}
