/** What the exchange refused, in its own words; `code` never changes its meaning. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly field: string | null = null,
    readonly params: Readonly<Record<string, string | number>> = {},
  ) {
    super(message);
    this.name = "ApiError";
  }
}

/** The API gave no answer at all. */
export class Unreachable extends Error {
  constructor(message: string) {
    super(message);
    this.name = "Unreachable";
  }
}

/** The refusal in a body, or one made of what there is. */
export function refusalOf(status: number, body: unknown): ApiError {
  if (typeof body === "object" && body !== null && "code" in body && "message" in body) {
    const said = body as {
      code: string;
      message: string;
      field?: string | null;
      params?: Record<string, string>;
    };
    return new ApiError(status, said.code, said.message, said.field ?? null, said.params ?? {});
  }
  return new ApiError(status, "internal", `HTTP ${status}`);
}

/** The sentence to show for anything that went wrong. */
export function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
