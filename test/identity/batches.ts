import { type DeviceKey, type PublicKey, signerOf } from "../../toolkit/identity/keys.js";
import { toHex } from "../../toolkit/internal/bytes.js";
import type { Deployed } from "../support.js";
import { type EnrolledLot, FAR } from "./fleet.js";

/** What `activateBatch` takes; each part can be replaced by a wrong one. */
export interface BatchCall {
  readonly lot: string;
  readonly deadline: bigint;
  readonly signers: readonly string[];
  readonly owners: readonly string[];
  readonly signatures: readonly string[];
  readonly places: readonly bigint[];
  readonly leaves: bigint;
  readonly proof: readonly string[];
}

/** A device, with what it signs by. */
export type BatchKey = PublicKey & Pick<DeviceKey, "sign">;

/**
 * A right call for some devices of a lot, put into the order of their places.
 *
 * @param ownerOf Whom each device names as its owner.
 */
export function batchOf(
  { digests, addresses }: Pick<Deployed, "digests" | "addresses">,
  { id, tree }: EnrolledLot,
  keys: readonly BatchKey[],
  ownerOf: string | ((key: BatchKey) => string),
): BatchCall {
  const { devices, places, leaves, siblings } = tree.proveMany(keys.map((key) => key.id));
  const ordered = devices.flatMap((device) => keys.filter((key) => key.id === device));
  const owners = ordered.map((key) => (typeof ownerOf === "string" ? ownerOf : ownerOf(key)));
  const signatures = ordered.map((key, k) => {
    const said = { device: key.id, lot: id, owner: owners[k] ?? "", deadline: FAR };
    return toHex(key.sign(digests.activation(said)));
  });
  const signers = ordered.map((key) => toHex(signerOf(key, addresses)));
  return { lot: id, deadline: FAR, signers, owners, signatures, places, leaves, proof: siblings.map(toHex) };
}

type BatchArgs = [string, bigint, string[], string[], string[], bigint[], bigint, string[]];

/** The call as the binding takes it. */
export function argsOf({ lot, deadline, signers, owners, signatures, places, leaves, proof }: BatchCall): BatchArgs {
  return [lot, deadline, [...signers], [...owners], [...signatures], [...places], leaves, [...proof]];
}

/** Sends the call from the operator, who is nobody to the devices. */
export function sendBatch(world: Deployed, call: BatchCall) {
  return world.registry.activateBatch(...argsOf(call));
}

/** ITC that the registry owes by its own views: to lots for devices to come, and for each of these devices. */
export async function owedBy(world: Deployed, lots: readonly string[], devices: readonly string[]): Promise<bigint> {
  let owed = await world.registry.pool();
  for (const id of lots) {
    const { size, activated, bond, revoked } = await world.registry.lotOf(id);
    if (!revoked) owed += (size - activated) * bond;
  }
  for (const device of devices) owed += (await world.registry.standingOf(device)).bond;
  return owed;
}
