import type { ComponentType } from "react";
import { follow } from "@/app/router";
import type { PageProps } from "@/app/routes";
import { Announce } from "@/features/operator/Announce";
import { Gate } from "@/features/operator/Gate";
import { Log } from "@/features/operator/Log";
import { Markets } from "@/features/operator/Markets";
import { type ConsoleKey, c, useConsoleTexts } from "@/features/operator/texts";
import { t } from "@/lib/i18n";
import { Page } from "@/ui/Page";
import { Loading } from "@/ui/States";

interface Section {
  /** The second part of the path. */
  readonly path: string;
  readonly name: ConsoleKey;
  readonly view: ComponentType;
}

const SECTIONS: readonly Section[] = [
  { path: "markets", name: "markets.title", view: Markets },
  { path: "announcements", name: "announce.title", view: Announce },
  { path: "log", name: "log.title", view: Log },
];

/** The console of those who run the exchange: its own sign-in, its own texts, loaded by nobody else. */
export default function OperatorPage({ rest }: PageProps) {
  const ready = useConsoleTexts();
  if (!ready) return <Loading label={t("loading")} />;
  const current = SECTIONS.find((one) => one.path === rest) ?? SECTIONS[0];
  return (
    <Page title={c("console.title")} lead={c("console.lead")}>
      <Gate>
        <nav aria-label={c("console.sections")} className="flex flex-wrap gap-1">
          {SECTIONS.map(({ path, name }) => (
            <a
              key={path}
              href={`/operator/${path}`}
              onClick={follow}
              aria-current={path === current?.path ? "page" : undefined}
              className="rounded-md px-2.5 py-1.5 text-soft hover:text-text aria-[current]:bg-raised aria-[current]:text-strong"
            >
              {c(name)}
            </a>
          ))}
        </nav>
        {current && <current.view />}
      </Gate>
    </Page>
  );
}
