/**
 * The one shape of every failure that this package raises on purpose: a stable code, what happened, and what to do next.
 * Rooms derive a class each; callers branch on `code`, people read `message`.
 */
export class IotchainError extends Error {
  /** Stable identifier, `ITC_<ROOM>_<FAILURE>`; it never changes once published. */
  readonly code: string;
  /** What the reader can do about it; already part of `message`. */
  readonly next: string;

  constructor(code: string, what: string, next: string, options?: ErrorOptions) {
    super(`${code}: ${what} ${next}`.trim(), options);
    this.name = new.target.name;
    this.code = code;
    this.next = next;
  }
}
