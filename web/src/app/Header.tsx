import { brand } from "@/app/brand";
import { useExchange } from "@/app/exchange";
import { follow } from "@/app/router";
import { ROUTES } from "@/app/routes";
import { useLink } from "@/app/stream";
import { useTheme } from "@/app/theme";
import { WalletButton } from "@/features/wallet/WalletButton";
import { LANGUAGES, setLanguage, t, useLanguage } from "@/lib/i18n";

export function Header({ current }: { readonly current: string }) {
  return (
    <header className="flex h-12 shrink-0 items-center gap-1 border-b border-line bg-panel px-2 sm:gap-3 sm:px-3">
      <a
        href="/"
        onClick={follow}
        className="flex items-center gap-2 text-base font-bold tracking-tight text-strong"
      >
        <img src={brand.logo} alt="" width="24" height="24" />
        <span className="max-sm:sr-only">{brand.name}</span>
      </a>
      <nav aria-label={t("nav.label")} className="flex min-w-0 overflow-x-auto sm:gap-1">
        {ROUTES.map(({ path, name }) =>
          name ? (
            <a
              key={path}
              href={`/${path}`}
              onClick={follow}
              aria-current={path === current ? "page" : undefined}
              className="rounded-md px-1.5 py-1.5 text-soft sm:px-2.5 hover:text-text aria-[current]:bg-raised aria-[current]:text-strong"
            >
              {t(name)}
            </a>
          ) : null,
        )}
      </nav>
      <div className="ms-auto flex items-center gap-0.5 sm:gap-1.5">
        <Health />
        <LanguageChoice />
        <ThemeButton />
        <WalletButton />
      </div>
    </header>
  );
}

/** Whether what the page shows is live, in one word. */
function Health() {
  const connection = useLink((link) => link.connection);
  const status = useExchange((known) => known.status);
  const away = useExchange((known) => known.away);
  const problems = status ? Object.values(status.problems) : [];
  const good = connection === "open" && !away && status?.status === "ok";
  const word =
    connection !== "open" || away ? t("health.away") : good ? t("health.live") : t("health.degraded");
  const title = away ?? (problems.join("; ") || t("health.block", { block: status?.block ?? "?" }));
  return (
    <a
      href="/status"
      title={title}
      className={`flex items-center gap-1.5 rounded-md px-1 py-1 text-xs hover:bg-raised sm:px-2 ${good ? "text-soft" : "text-warn"}`}
    >
      <span aria-hidden="true" className={`size-2 rounded-full ${good ? "bg-buy" : "bg-warn"}`} />
      <span className="max-sm:sr-only">{word}</span>
    </a>
  );
}

function LanguageChoice() {
  const language = useLanguage();
  if (LANGUAGES.length < 2) return null;
  return (
    <select
      aria-label={t("language")}
      value={language.tag}
      onChange={(event) => void setLanguage(event.target.value)}
      className="h-8 max-w-14 rounded-md sm:max-w-24 bg-panel px-1 text-xs text-soft hover:text-text"
    >
      {LANGUAGES.map(({ tag, name }) => (
        <option key={tag} value={tag}>
          {name}
        </option>
      ))}
    </select>
  );
}

function ThemeButton() {
  const { theme, toggle } = useTheme();
  const label = theme === "dark" ? t("theme.to_light") : t("theme.to_dark");
  return (
    <button
      type="button"
      onClick={toggle}
      data-testid="theme"
      aria-label={label}
      title={label}
      className="grid size-8 place-items-center rounded-md text-soft hover:bg-raised hover:text-text"
    >
      <svg viewBox="0 0 20 20" className="size-4" aria-hidden="true" fill="currentColor">
        {theme === "dark" ? (
          <path d="M10 6a4 4 0 100 8 4 4 0 000-8zM9.2 1h1.6v3H9.2zm0 15h1.6v3H9.2zM1 9.2h3v1.6H1zm15 0h3v1.6h-3zM3 4.1L4.1 3l2.1 2.1-1.1 1.1zM13.8 14.9l1.1-1.1L17 15.9 15.9 17zM3 15.9l2.1-2.1 1.1 1.1L4.1 17zM13.8 5.1L15.9 3 17 4.1l-2.1 2.1z" />
        ) : (
          <path d="M16.5 12.3A7 7 0 017.7 3.5a7 7 0 108.8 8.8z" />
        )}
      </svg>
    </button>
  );
}
