import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CONSOLE_LANGUAGES } from "@/features/operator/texts";
import { en as console } from "@/features/operator/texts/en";
import { inLanguage, LANGUAGES, setLanguage, t } from "@/lib/i18n";
import { en as app } from "@/lib/i18n/en";

const names = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((found) => found[1]).sort();
/** A text for one of something may spell the number out. */
const counted = (source: object, key: string) => `${key}.other` in source || FORM.test(key);
/** Forms that English has not. */
const FORM = /\.(zero|two|few|many)$/;

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
    const own = Object.keys(texts).filter((key) => !FORM.test(key));
    expect(own.sort()).toEqual(Object.keys(source).sort());
    expect(Object.entries(texts).filter(([, text]) => !text.trim())).toEqual([]);
  });

  it("fills in what English fills in", async () => {
    for (const [key, text] of Object.entries(await load())) {
      const wanted = names(source[key.replace(FORM, ".other")] as string);
      const found = counted(source, key) ? [...new Set([...names(text), "count"])].sort() : names(text);
      expect(found, key).toEqual(wanted);
    }
  });
});

it("every counted text has each form that its language needs", async () => {
  for (const { tag, load } of LANGUAGES) {
    const texts: Record<string, string | undefined> = { ...(await load()) };
    const { pluralCategories } = new Intl.PluralRules(tag).resolvedOptions();
    for (const key of Object.keys(app).filter((one) => one.endsWith(".other")))
      for (const form of pluralCategories.filter((one) => !["one", "zero"].includes(one)))
        expect(texts[key.replace(/other$/, form)], `${tag}: ${key}, ${form}`).toBeTruthy();
  }
});

describe("t", () => {
  beforeEach(() => {
    vi.stubGlobal("localStorage", { setItem: () => undefined, getItem: () => null });
    vi.stubGlobal("document", { documentElement: {} });
  });
  afterEach(async () => {
    await setLanguage("en");
    vi.unstubAllGlobals();
  });

  it("writes numbers and picks forms as the language does", async () => {
    expect(t("leave.days", { count: 1 })).toBe("1 day");
    expect(t("leave.days", { count: 12_345 })).toBe("12,345 days");
    await setLanguage("ar");
    expect(t("leave.days", { count: 2 })).toBe("يومان");
    expect(t("leave.days", { count: 5 })).toBe("\u20685\u2069 أيام");
    await setLanguage("zh-CN");
    expect(t("leave.days", { count: 1 })).toContain("1");
  });

  it("isolates what is filled in where the language runs from right to left", async () => {
    const params = { spread: "1.5", percent: "-14.94" };
    expect(t("book.spread", params)).toBe("Spread 1.5 (-14.94 %)");
    await setLanguage("ar");
    expect(t("book.spread", params)).toContain("\u2068-14.94\u2069");
  });

  it("takes a brand's text in the user's language, else in English", () => {
    const text = { en: "Notice", ar: "إشعار", zh: "通知" };
    expect([inLanguage(text, "ar"), inLanguage(text, "zh-CN"), inLanguage(text, "fr")]).toEqual([
      "إشعار",
      "通知",
      "Notice",
    ]);
    expect(inLanguage("One for all", "ar")).toBe("One for all");
  });
});
