import type { ComponentType } from "react";
import { follow } from "@/app/router";
import type { PageProps } from "@/app/routes";
import { Accounts } from "@/features/operator/Accounts";
import { Announce } from "@/features/operator/Announce";
import { Cases } from "@/features/operator/Cases";
import { Contract } from "@/features/operator/Contract";
import { Gate } from "@/features/operator/Gate";
import { Health } from "@/features/operator/Health";
import { Jobs } from "@/features/operator/Jobs";
import { Log } from "@/features/operator/Log";
import { Markets } from "@/features/operator/Markets";
import { type ConsoleKey, c, useConsoleTexts } from "@/features/operator/texts";
import { Withdrawals } from "@/features/operator/Withdrawals";
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
  { path: "health", name: "health.title", view: Health },
  { path: "markets", name: "markets.title", view: Markets },
  { path: "withdrawals", name: "withdrawals.title", view: Withdrawals },
  { path: "jobs", name: "jobs.title", view: Jobs },
  { path: "accounts", name: "accounts.title", view: Accounts },
  { path: "cases", name: "cases.title", view: Cases },
  { path: "contract", name: "contract.title", view: Contract },
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
