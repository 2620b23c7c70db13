/**
 * The pages, each loaded when it is opened. `PAGES` in backend/web/endpoints.py has the same first parts, since the API
 * answers them with the app.
 */
import { type ComponentType, type LazyExoticComponent, lazy } from "react";
import type { Key } from "@/lib/i18n";

export interface PageProps {
  /** What follows the first part of the path. */
  readonly rest: string;
}

export interface Route {
  readonly path: string;
  /** In the navigation under this name; without one it is reached by links. */
  readonly name?: Key;
  readonly page: LazyExoticComponent<ComponentType<PageProps>>;
}

export const ROUTES: readonly Route[] = [
  { path: "trade", name: "nav.trade", page: lazy(() => import("@/pages/TradePage")) },
  { path: "funds", name: "nav.funds", page: lazy(() => import("@/pages/FundsPage")) },
  { path: "proof", name: "nav.proof", page: lazy(() => import("@/pages/ProofPage")) },
  { path: "leave", page: lazy(() => import("@/pages/LeavePage")) },
  { path: "operator", page: lazy(() => import("@/pages/OperatorPage")) },
  { path: "legal", page: lazy(() => import("@/pages/LegalPage")) },
];

export const HOME = "trade";
