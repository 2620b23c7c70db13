/** What the browser keeps for this site. A browser that keeps nothing is no error. */
export const PREFIX = "bizzan.";

export function recall<V>(name: string): V | null {
  try {
    const text = localStorage.getItem(PREFIX + name);
    return text === null ? null : (JSON.parse(text) as V);
  } catch {
    return null;
  }
}

export function keep(name: string, value: unknown): void {
  try {
    if (value === null || value === undefined) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // private windows may refuse
  }
}
