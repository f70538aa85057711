import type { PartId } from "../identity/epc.js";
import type { PartRank } from "../identity/provenance.js";

/** A part as a run believes it to be. */
export interface PartState {
  /** Such as `chip-3`. */
  readonly name: string;
  readonly id: PartId;
  /** EPC URI. */
  readonly serial: string;
  readonly rank: PartRank;
  /** The actor that made it. */
  readonly maker: string;
  /** The actor that holds it; of a part inside another, the whole's counts. */
  custodian: string;
  parent: PartState | undefined;
  readonly designs: readonly PartState[];
  device: string | undefined;
  /** How many wrong claims there were. */
  claims: number;
  handOvers: number;
}

/** The parts of a run, by the names that its scenario gives them. */
export class PartBook {
  private readonly groups = new Map<string, readonly PartState[]>();
  /** Prefixes that were claimed in this run. */
  readonly prefixes = new Set<string>();

  add(group: string, parts: readonly PartState[]): void {
    this.groups.set(group, parts);
  }

  *all(): Generator<PartState> {
    for (const parts of this.groups.values()) yield* parts;
  }

  /** All parts of a name, or the one of that number; none for a name that means nothing. */
  named(name: string): readonly PartState[] {
    const [, group = "", number = ""] = /^(.+)-(\d+)$/.exec(name) ?? [];
    return this.groups.get(name) ?? this.groups.get(group)?.slice(Number(number) - 1, Number(number)) ?? [];
  }

  byId(id: string): PartState | undefined {
    return [...this.all()].find((part) => part.id === id);
  }

  rootOf(part: PartState): PartState {
    return part.parent ? this.rootOf(part.parent) : part;
  }

  /** What is in a part; a chip's are its designs. */
  contentsOf(part: PartState): PartState[] {
    return part.rank === "chip" ? [...part.designs] : [...this.all()].filter(({ parent }) => parent === part);
  }
}
