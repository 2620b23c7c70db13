import { useEffect, useState } from "react";
import { Announcements } from "@/app/Announcements";
import { useExchange } from "@/app/exchange";
import { follow, usePath } from "@/app/router";
import { useLink } from "@/app/stream";
import { dismissFired, useCountdown } from "@/features/orders/countdown";
import { Ending } from "@/features/orders/Ending";
import { goToChain, isWrongChain, signIn, useWallet } from "@/features/wallet/store";
import { sentenceOf } from "@/lib/api/errors";
import { localTime, t } from "@/lib/i18n";
import { Button } from "@/ui/Button";

const RESYNC_SHOWN_MS = 4_000;

/** What the user must know before trusting a number on the page. */
export function Banners() {
  return (
    <div aria-live="polite">
      <Announcements />
      <Changed />
      <Reconnecting />
      <Fired />
      <Degraded />
      <Resynced />
      <WrongChain />
      <NotSignedIn />
    </div>
  );
}

const BAR = "flex flex-wrap items-center justify-center gap-x-4 gap-y-1 px-3 py-1.5 text-center";

/** The clock of a component that shows how long something lasts. */
function useSeconds(since: number | null): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    if (since === null) return;
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, [since]);
  return since === null ? 0 : Math.max(0, Math.round((now - since) / 1_000));
}

/** Another contract than last time: an update of the exchange, or somebody who wants what is signed. */
function Changed() {
  const changed = useExchange((known) => known.changed);
  if (!changed) return null;
  return (
    <div role="alert" className={`${BAR} bg-sell/15 text-text`}>
      <p className="font-semibold">{t("banner.changed")}</p>
      <ul>
        {changed.changes.map(({ name, known, found }) => (
          <li key={name} dir="ltr" className="break-all font-mono text-xs">
            {name}: {known} → {found}
          </li>
        ))}
      </ul>
      <Button kind="danger" size="small" onClick={changed.accept}>
        {t("banner.accept")}
      </Button>
    </div>
  );
}

function Reconnecting() {
  const lostAt = useLink((link) => link.lostAt);
  const seconds = useSeconds(lostAt);
  const endsAt = useCountdown(({ on, endsAt }) => (on ? endsAt : 0));
  if (lostAt === null) return null;
  return (
    <div className={`${BAR} bg-warn/15 text-warn`}>
      <p>{t("banner.lost", { seconds })}</p>
      {endsAt > 0 && (
        <p className="font-semibold">
          <Ending at={endsAt} />
        </p>
      )}
      <a href="/leave" onClick={follow} className="underline">
        {t("nav.leave")}
      </a>
    </div>
  );
}

/** The exchange has cancelled the orders, because it did not hear the page. */
function Fired() {
  const { firedAt, on, seconds } = useCountdown();
  if (firedAt === null) return null;
  return (
    <div role="alert" data-testid="countdown-fired" className={`${BAR} bg-sell/15 text-text`}>
      <p>
        {t("disconnect.fired", { seconds, time: localTime(firedAt) })} {on && t("disconnect.stays_on")}
      </p>
      <Button size="small" onClick={dismissFired}>
        {t("disconnect.seen")}
      </Button>
    </div>
  );
}

function Degraded() {
  const lost = useLink((link) => link.lostAt !== null);
  const problems = useExchange((known) => known.status?.problems);
  const sentences = Object.values(problems ?? {});
  if (lost || !sentences.length) return null;
  return (
    <p className={`${BAR} bg-warn/15 text-warn`}>{t("banner.degraded", { reason: sentences.join("; ") })}</p>
  );
}

/** A message of the stream was missing: the book was asked for anew, and the user is told. */
function Resynced() {
  const last = useLink((link) => link.lastResync);
  const [hiddenAt, setHiddenAt] = useState(0);
  useEffect(() => {
    if (!last) return;
    const timer = setTimeout(() => setHiddenAt(last.at), RESYNC_SHOWN_MS);
    return () => clearTimeout(timer);
  }, [last]);
  if (!last || last.at <= hiddenAt) return null;
  return <p className={`${BAR} bg-raised text-soft`}>{t("banner.resynced", { channel: last.channel })}</p>;
}

function WrongChain() {
  const wrong = useWallet((state) => state.phase === "connected" && isWrongChain(state));
  const exchange = useExchange((known) => known.exchange);
  const [failed, setFailed] = useState<string | null>(null);
  if (!wrong || !exchange) return null;
  const go = () =>
    goToChain().then(
      () => setFailed(null),
      (error) => setFailed(sentenceOf(error)),
    );
  return (
    <div className={`${BAR} bg-sell/15 text-text`}>
      <p>{failed ?? t("banner.wrong_chain", { chain: `${exchange.chain_id}` })}</p>
      <Button kind="primary" size="small" onClick={() => void go()}>
        {t("banner.switch_chain")}
      </Button>
    </div>
  );
}

/** The account's session; the console has a sign-in of its own, which must not be taken for this one. */
function NotSignedIn() {
  const needed = useWallet((state) => state.phase === "connected" && !state.session);
  const inConsole = usePath().split("/")[1] === "operator";
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState<string | null>(null);
  if (!needed || inConsole) return null;
  const sign = async () => {
    setBusy(true);
    await signIn().then(
      () => setFailed(null),
      (error) => setFailed(sentenceOf(error)),
    );
    setBusy(false);
  };
  return (
    <div className={`${BAR} bg-raised`}>
      <p className={failed ? "text-sell" : "text-soft"}>{failed ?? t("banner.sign_in")}</p>
      <Button kind="primary" size="small" busy={busy} onClick={() => void sign()}>
        {t("wallet.sign_in")}
      </Button>
    </div>
  );
}
