import type { ReactNode } from "react";

export interface Column<Row> {
  readonly name: string;
  readonly cell: (row: Row) => ReactNode;
  /** Numbers stand at the end. */
  readonly number?: boolean;
  /** The name is for screen readers only. */
  readonly quiet?: boolean;
}

interface TableProps<Row> {
  readonly caption: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly id: (row: Row) => string | number;
  readonly testId?: string;
}

/** A plain table; wide ones scroll sideways. */
export function Table<Row>({ caption, columns, rows, id, testId }: TableProps<Row>) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keyboard
    <section aria-label={caption} tabIndex={0} className="relative overflow-x-auto">
      <table data-testid={testId} className="w-full text-xs">
        <caption className="sr-only">{caption}</caption>
        <thead className="text-soft">
          <tr>
            {columns.map((column) => (
              <th
                key={column.name}
                scope="col"
                className={`whitespace-nowrap px-3 py-1.5 font-normal ${column.number ? "text-end" : "text-start"}`}
              >
                <span className={column.quiet ? "sr-only" : ""}>{column.name}</span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={id(row)} className="border-t border-line/60 hover:bg-raised/50">
              {columns.map((column) => (
                <td
                  key={column.name}
                  className={`whitespace-nowrap px-3 py-1.5 ${column.number ? "text-end" : "text-start"}`}
                >
                  {column.number ? <bdi>{column.cell(row)}</bdi> : column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
