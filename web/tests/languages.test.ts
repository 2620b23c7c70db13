import { describe, expect, it } from "vitest";
import { LANGUAGES } from "@/lib/i18n";
import { en } from "@/lib/i18n/en";

const names = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((found) => found[1]).sort();
/** A text for one of something may spell the number out. */
const counted = (key: string) => `${key}.other` in en;

describe.each(LANGUAGES.filter(({ tag }) => tag !== "en"))("$tag", ({ load }) => {
  it("has every text, and no other", async () => {
    const texts = await load();
    expect(Object.keys(texts).sort()).toEqual(Object.keys(en).sort());
    expect(Object.entries(texts).filter(([, text]) => !text.trim())).toEqual([]);
  });

  it("fills in what English fills in", async () => {
    for (const [key, text] of Object.entries(await load())) {
      const wanted = names(en[key as keyof typeof en]);
      const found = counted(key) ? [...new Set([...names(text), "count"])].sort() : names(text);
      expect(found, key).toEqual(wanted);
    }
  });
});
