import { describe, expect, it } from "vitest";
import { CONSOLE_LANGUAGES } from "@/features/operator/texts";
import { en as console } from "@/features/operator/texts/en";
import { LANGUAGES } from "@/lib/i18n";
import { en as app } from "@/lib/i18n/en";

const names = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((found) => found[1]).sort();
/** A text for one of something may spell the number out. */
const counted = (source: object, key: string) => `${key}.other` in source;

type Texts = Readonly<Record<string, string>>;

const OTHERS = LANGUAGES.filter(({ tag }) => tag !== "en");
const CATALOGUES = OTHERS.flatMap(({ tag, load }) => [
  { name: `the app in ${tag}`, source: app as Texts, load: load as () => Promise<Texts> },
  {
    name: `the console in ${tag}`,
    source: console as Texts,
    load: CONSOLE_LANGUAGES[tag] as () => Promise<Texts>,
  },
]);

describe.each(CATALOGUES)("$name", ({ source, load }) => {
  it("has every text, and no other", async () => {
    const texts = await load();
    expect(Object.keys(texts).sort()).toEqual(Object.keys(source).sort());
    expect(Object.entries(texts).filter(([, text]) => !text.trim())).toEqual([]);
  });

  it("fills in what English fills in", async () => {
    for (const [key, text] of Object.entries(await load())) {
      const wanted = names(source[key] as string);
      const found = counted(source, key) ? [...new Set([...names(text), "count"])].sort() : names(text);
      expect(found, key).toEqual(wanted);
    }
  });
});
