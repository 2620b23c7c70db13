import type { ReactNode } from "react";

interface PageProps {
  readonly title: string;
  readonly lead?: ReactNode;
  readonly children: ReactNode;
}

/** A page to read: a heading, what it is for, and its parts one below the other. */
export function Page({ title, lead, children }: PageProps) {
  return (
    <div className="mx-auto flex w-full max-w-7xl flex-col gap-4 p-3 sm:p-5">
      <header className="flex flex-col gap-1">
        <h1 className="text-xl font-semibold text-strong">{title}</h1>
        {lead && <p className="max-w-3xl text-soft">{lead}</p>}
      </header>
      {children}
    </div>
  );
}

/** A part of a page, framed. */
export const FRAME = "overflow-hidden rounded-panel border border-line";
