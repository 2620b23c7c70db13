/**
 * Texts in the user's language. `en.ts` is the source: its keys are the type, so a key that is missing in another language
 * or misspelt in the code does not compile. Languages other than English are loaded when they are chosen.
 */
import { useSyncExternalStore } from "react";
import { en } from "./en";

export type Key = keyof typeof en;
/** Forms beside one and other, which some languages have. */
type Forms = Readonly<Partial<Record<`${Key}.${"zero" | "two" | "few" | "many"}`, string>>>;
export type Catalogue = Readonly<Record<Key, string>> & Forms;
export type Params = Readonly<Record<string, string | number>>;

export interface Language {
  readonly tag: string;
  readonly name: string;
  readonly direction: "ltr" | "rtl";
  readonly load: () => Promise<Catalogue>;
}

export const LANGUAGES: readonly Language[] = [
  { tag: "en", name: "English", direction: "ltr", load: () => Promise.resolve(en) },
  { tag: "zh-CN", name: "简体中文", direction: "ltr", load: () => import("./zh").then(({ zh }) => zh) },
  { tag: "ar", name: "العربية", direction: "rtl", load: () => import("./ar").then(({ ar }) => ar) },
];

const STORED = "bizzan.language";
let language = LANGUAGES[0] as Language;
let catalogue: Catalogue = en;
const listeners = new Set<() => void>();

/**
 * The text of a key with `{names}` filled in, numbers in the language's writing. Of a `count`, the form that the language has
 * for it: `<key>.few` and the like, `<key>.other`, or the key itself for one.
 */
export function t(key: Key, params: Params = {}): string {
  return textOf(catalogue, key, params);
}

type Texts = Readonly<Record<string, string | undefined>>;

/** The same from another catalogue in the user's language. */
export function textOf(texts: Texts, key: string, params: Params): string {
  return fill(formOf(texts, key, params.count) ?? key, params);
}

function formOf(texts: Texts, key: string, count: string | number | undefined): string | undefined {
  if (typeof count !== "number") return texts[key];
  const category = new Intl.PluralRules(language.tag).select(count);
  return category === "one"
    ? texts[key]
    : (texts[`${key}.${category}`] ?? texts[`${key}.other`] ?? texts[key]);
}

const fill = (text: string, params: Params): string =>
  text.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = params[name];
    if (value === undefined) return whole;
    return isolated(typeof value === "number" ? localNumber(`${value}`) : value);
  });

/** Text of any direction that does not disturb what stands around it: first strong isolate, pop directional isolate. */
const isolated = (text: string): string =>
  language.direction === "rtl" && text !== "" ? `\u2068${text}\u2069` : text;

/** A text that comes with all languages, or with some: in the user's, else in English. */
export type Translated = string | Readonly<Record<string, string>>;

export function inLanguage(text: Translated, tag = language.tag): string {
  if (typeof text === "string") return text;
  return text[tag] ?? text[tag.split("-")[0] ?? ""] ?? text.en ?? Object.values(text)[0] ?? "";
}

/** Draws the component anew when the language changes. */
export function useLanguage(): Language {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => language,
  );
}

/** Change the language, and remember it. */
export async function setLanguage(tag: string): Promise<void> {
  const chosen = LANGUAGES.find((known) => known.tag === tag) ?? (LANGUAGES[0] as Language);
  catalogue = await chosen.load();
  language = chosen;
  localStorage.setItem(STORED, chosen.tag);
  document.documentElement.lang = chosen.tag;
  document.documentElement.dir = chosen.direction;
  for (const listener of listeners) listener();
}

/** The language that was chosen before, or the first of the browser's that there is. */
export async function startLanguage(): Promise<void> {
  const wanted = [localStorage.getItem(STORED), ...navigator.languages].filter((tag) => tag !== null);
  const known = (tag: string) =>
    LANGUAGES.find((one) => one.tag === tag) ??
    LANGUAGES.find((one) => one.tag.split("-")[0] === tag.split("-")[0]);
  const found = wanted.map(known).find((one) => one !== undefined);
  if (found && found !== language) await setLanguage(found.tag);
}

/** An exact decimal text with the language's separators: digits are moved as text, never through a float. */
export function localNumber(text: string): string {
  const [whole = "", fraction] = text.split(".");
  const { group, decimal } = separators();
  const sign = whole.startsWith("-") ? "-" : "";
  const grouped = whole.replace("-", "").replace(/\B(?=(\d{3})+$)/g, group);
  return sign + grouped + (fraction === undefined ? "" : decimal + fraction);
}

const known = new Map<string, { group: string; decimal: string }>();

function separators(): { group: string; decimal: string } {
  let found = known.get(language.tag);
  if (!found) {
    const parts = new Intl.NumberFormat(language.tag, { numberingSystem: "latn" }).formatToParts(12345.6);
    const part = (type: string) => parts.find((one) => one.type === type)?.value ?? "";
    found = { group: part("group") || ",", decimal: part("decimal") || "." };
    known.set(language.tag, found);
  }
  return found;
}

/** A time of day, and a date with the time, in the user's zone. */
export const localTime = (ms: number): string => timeFormat("time").format(ms);
export const localDateTime = (ms: number): string => timeFormat("date").format(ms);

const formats = new Map<string, Intl.DateTimeFormat>();

/** Kept, because making one costs as much as using it a hundred times. */
function timeFormat(kind: "time" | "date"): Intl.DateTimeFormat {
  const name = `${language.tag} ${kind}`;
  const kept = formats.get(name);
  if (kept) return kept;
  const made = new Intl.DateTimeFormat(language.tag, {
    ...(kind === "date" ? { dateStyle: "medium" } : {}),
    timeStyle: "medium",
    hourCycle: "h23",
    numberingSystem: "latn",
  });
  formats.set(name, made);
  return made;
}
