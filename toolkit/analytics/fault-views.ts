import { randomInt } from "node:crypto";
import type { ShownFault } from "./challenges.js";
import { ruleOnMember, Verdict } from "./court-model.js";
import type { CourtViews } from "./court-views.js";
import type { PartialDigests } from "./partial-digests.js";
import type { ResultFault } from "./result-faults.js";
import { Origin } from "./result-tree.js";

/** What a court rules on at once. */
export type Challengeable = Exclude<ShownFault, { readonly kind: "question" }>;

export function isChallengeable(fault: ResultFault): fault is Challengeable {
  return fault.kind !== "question" && fault.kind !== "content-mismatch" && fault.kind !== "root-mismatch";
}

/**
 * Whether a fault that hangs on what other contracts say is one by these views, as of another block; those that hang on the tree alone are ever.
 *
 * @param id The request's.
 */
export async function isFaultBy(
  views: CourtViews,
  digests: PartialDigests,
  id: string,
  fault: Challengeable,
): Promise<boolean> {
  if (fault.kind === "signature") {
    const { leaf } = fault;
    return !(await views.isSigned(leaf.device, digests.partial(id, leaf), ...leaf.evidence));
  }
  if (fault.kind !== "ignored-device" && fault.kind !== "member" && fault.kind !== "ignored") return true;
  const asked = fault.kind === "ignored-device" ? { ...fault, origin: Origin.Proved, spent: 0n } : fault.leaf;
  const [view] = await views.see([asked]);
  if (!view) return false;
  if (fault.kind !== "member") return view.verdict === Verdict.Eligible;
  return ruleOnMember(fault.leaf, view) !== "refused";
}

/** In an order that nobody can foretell. */
export function shuffled(indices: readonly number[]): number[] {
  const mixed = [...indices];
  for (let k = mixed.length - 1; k > 0; k--) {
    const other = randomInt(k + 1);
    [mixed[k], mixed[other]] = [mixed[other] ?? 0, mixed[k] ?? 0];
  }
  return mixed;
}
