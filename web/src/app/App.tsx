import { Component, type ReactNode, Suspense } from "react";
import { Banners } from "@/app/Banners";
import { Footer } from "@/app/Footer";
import { Header } from "@/app/Header";
import { Notices } from "@/app/Notices";
import { usePath } from "@/app/router";
import { HOME, ROUTES } from "@/app/routes";
import { Invite } from "@/features/tour/Invite";
import { sentenceOf } from "@/lib/api/errors";
import { t, useLanguage } from "@/lib/i18n";
import { Button } from "@/ui/Button";
import { Failure, Loading } from "@/ui/States";

/** A defect in a page is shown, and the rest of the app goes on. */
class Guard extends Component<{ children: ReactNode }, { error: unknown }> {
  override state: { error: unknown } = { error: null };

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override render() {
    if (this.state.error === null) return this.props.children;
    const again = <Button onClick={() => location.reload()}>{t("reload")}</Button>;
    return (
      <div className="mx-auto max-w-xl p-6">
        <Failure action={again}>{t("app.defect", { reason: sentenceOf(this.state.error) })}</Failure>
      </div>
    );
  }
}

export function App() {
  useLanguage();
  const path = usePath();
  const [, first = "", ...rest] = path.split("/");
  const route = ROUTES.find((known) => known.path === (first || HOME));
  return (
    <div className="flex min-h-dvh flex-col">
      <a
        href="#main"
        className="sr-only focus:not-sr-only focus:absolute focus:z-50 focus:bg-panel focus:p-3"
      >
        {t("skip")}
      </a>
      <Header current={route?.path ?? ""} />
      <Banners />
      <Invite />
      <main id="main" tabIndex={-1} className="flex min-h-0 flex-1 flex-col outline-none">
        <Guard key={path}>
          <Suspense fallback={<Loading label={t("loading")} />}>
            {route ? <route.page rest={rest.join("/")} /> : <NotFound />}
          </Suspense>
        </Guard>
      </main>
      <Footer />
      <Notices />
    </div>
  );
}

function NotFound() {
  return (
    <div className="p-8 text-center">
      <h1 className="text-lg font-semibold text-strong">{t("app.not_found")}</h1>
      <a href="/" className="text-accent underline">
        {t("app.home")}
      </a>
    </div>
  );
}
