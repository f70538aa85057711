import { ZeroAddress, ZeroHash } from "ethers";
import { RANK } from "./parts.js";

/** A part as it should be. */
export interface ModelPart {
  rank: number;
  state: "active" | "in-transit" | "decommissioned";
  custodian: string;
  maker: string;
  parent: string | undefined;
  receiver: string;
  handOvers: number;
}

/** A call by an account; parts by their ids. */
export type Call =
  | { do: "commission"; by: string; holder: string; id: string; rank: number }
  | { do: "assemble" | "disassemble"; by: string; parent: string; child: string }
  | { do: "replace"; by: string; parent: string; removed: string; added: string }
  | { do: "handOver"; by: string; id: string; to: string }
  | { do: "accept" | "cancel"; by: string; id: string; number: number }
  | { do: "decommission"; by: string; id: string };

/** That the contract is to refuse a call, by this error. */
class Refusal extends Error {}

/** What parts and custody are, written from the interface's words and not from its code. */
export class PartsModel {
  readonly parts = new Map<string, ModelPart>();
  readonly claims = new Map<string, number>();

  /** Does it, or says why not. */
  apply(call: Call): string | undefined {
    try {
      this.run(call);
      return undefined;
    } catch (error) {
      if (error instanceof Refusal) return error.message;
      throw error;
    }
  }

  rootOf(id: string): string {
    const parent = this.parts.get(id)?.parent;
    return parent === undefined ? id : this.rootOf(parent);
  }

  childrenOf(id: string): string[] {
    return [...this.parts].filter(([, { parent }]) => parent === id).map(([child]) => child);
  }

  /** What `partOf` answers. */
  viewOf(id: string, sites: ReadonlySet<string>): unknown[] {
    const claims = BigInt(this.claims.get(id) ?? 0);
    const part = this.parts.get(id);
    if (!part) return [0n, 0n, ZeroAddress, ZeroAddress, ZeroHash, ZeroHash, 0n, claims, false];
    const root = this.rootOf(id);
    const whole = this.known(root);
    const state = { active: 1n, "in-transit": 2n, decommissioned: 3n }[whole.state];
    const maker = sites.has(id) ? ZeroAddress : part.maker;
    const children = BigInt(this.childrenOf(id).length);
    return [BigInt(part.rank), state, maker, whole.custodian, part.parent ?? ZeroHash, root, children, claims, false];
  }

  private run(call: Call): void {
    switch (call.do) {
      case "commission":
        this.commission(call);
        break;
      case "assemble": {
        this.ownTree(call.parent, call.by);
        this.fit(call.parent, call.child, call.by);
        this.known(call.child).parent = call.parent;
        break;
      }
      case "disassemble": {
        this.ownTree(call.parent, call.by);
        this.takeOut(call.parent, call.child, call.by);
        break;
      }
      case "replace": {
        this.ownTree(call.parent, call.by);
        this.fit(call.parent, call.added, call.by);
        this.takeOut(call.parent, call.removed, call.by);
        this.known(call.added).parent = call.parent;
        break;
      }
      case "handOver": {
        const part = this.ownRoot(call.id, call.by);
        refuse(call.to === ZeroAddress || call.to === call.by, "ProvenanceInvalidReceiver");
        Object.assign(part, { receiver: call.to, state: "in-transit", handOvers: part.handOvers + 1 });
        break;
      }
      case "accept":
      case "cancel":
        this.arrive(call);
        break;
      case "decommission":
        this.ownRoot(call.id, call.by).state = "decommissioned";
    }
  }

  private commission({ by, holder, id, rank }: Extract<Call, { do: "commission" }>): void {
    if (by !== holder || this.parts.has(id)) {
      this.claims.set(id, (this.claims.get(id) ?? 0) + 1);
      return;
    }
    const part = { rank, state: "active", custodian: by, maker: by, receiver: ZeroAddress, handOvers: 0 } as const;
    this.parts.set(id, { ...part, parent: undefined });
  }

  private arrive({ do: what, by, id, number }: Extract<Call, { do: "accept" | "cancel" }>): void {
    const part = this.known(id);
    const mayCancel = what === "cancel" && part.state === "in-transit" && part.custodian === by;
    refuse(part.receiver !== by && !mayCancel, "ProvenanceNotReceiver");
    refuse(number !== part.handOvers, "ProvenanceWrongHandOver");
    if (what === "accept") part.custodian = by;
    Object.assign(part, { receiver: ZeroAddress, state: "active" });
  }

  private known(id: string): ModelPart {
    const part = this.parts.get(id);
    if (!part) throw new Refusal("ProvenancePartUnknown");
    return part;
  }

  private held(part: ModelPart, by: string): void {
    refuse(part.custodian !== by, "ProvenanceNotCustodian");
    refuse(part.state !== "active", "ProvenanceNotActive");
  }

  private ownTree(id: string, by: string): void {
    this.known(id);
    this.held(this.known(this.rootOf(id)), by);
  }

  private ownRoot(id: string, by: string): ModelPart {
    const part = this.known(id);
    refuse(part.parent !== undefined, "ProvenanceInside");
    this.held(part, by);
    return part;
  }

  private fit(parent: string, child: string, by: string): void {
    const { rank } = this.ownRoot(child, by);
    refuse(rank === RANK.ipBlock || rank >= this.known(parent).rank, "ProvenanceRankOrder");
  }

  private takeOut(parent: string, child: string, by: string): void {
    const part = this.parts.get(child);
    if (part?.parent !== parent) throw new Refusal("ProvenanceNotInside");
    Object.assign(part, { parent: undefined, custodian: by });
  }
}

function refuse(condition: boolean, error: string): void {
  if (condition) throw new Refusal(error);
}
