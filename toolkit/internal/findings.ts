/** One thing that was checked, in words that a person reads. */
export interface Finding {
  readonly what: string;
  readonly holds: boolean;
  readonly detail: string;
}

/** What a check found. */
export interface Verdict {
  /** True when every finding holds. */
  readonly holds: boolean;
  readonly findings: readonly Finding[];
}

export function finding(what: string, holds: boolean, detail: string): Finding {
  return { what, holds, detail };
}

export function verdictOf(findings: readonly Finding[]): Verdict {
  return { holds: findings.every(({ holds }) => holds), findings };
}

/** Unix seconds as people and W3C documents write them. */
export function isoOf(seconds: bigint): string {
  // Whoever wrote the number may have meant any second up to 2^64; a Date ends in the year 275760.
  return seconds > 8_640_000_000_000n
    ? `second ${seconds}`
    : new Date(Number(seconds) * 1000).toISOString().replace(".000Z", "Z");
}
