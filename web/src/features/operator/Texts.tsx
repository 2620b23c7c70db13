import { LANGUAGES } from "@/lib/i18n";

/** An announcement in every language in which it stands: each of them is somebody's only one. */
export function Texts({ texts }: { readonly texts: Readonly<Record<string, string>> }) {
  return (
    <dl className="grid min-w-48 grid-cols-[auto_1fr] gap-x-3 gap-y-1 whitespace-normal">
      {Object.entries(texts).map(([tag, text]) => (
        <div key={tag} className="contents">
          <dt lang={tag} className="text-soft">
            {LANGUAGES.find((one) => one.tag === tag)?.name ?? tag}
          </dt>
          <dd lang={tag} dir="auto" className="break-words">
            {text}
          </dd>
        </div>
      ))}
    </dl>
  );
}

/** The texts among an entry's details, if it has any. */
export function textsOf(details: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> | null {
  const { texts } = details;
  if (typeof texts !== "object" || texts === null) return null;
  return Object.fromEntries(Object.entries(texts).map(([tag, text]) => [tag, `${text}`]));
}
