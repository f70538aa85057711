import type { Signer } from "ethers";
import { type CurveKey, type CurveKind, type DeviceKey, deviceKey, signerOf } from "../../toolkit/identity/keys.js";
import { type LotId, LotTree } from "../../toolkit/identity/lots.js";
import { fromHex, toHex } from "../../toolkit/internal/bytes.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import type { Deployed } from "../support.js";

export const BOND = 10n ** 18n;

/** A key that is the same in each run. */
export function keyOf(label: string, kind: CurveKind = "secp256k1"): CurveKey {
  return deviceKey(kind, fromHex(secretOf(1, label)));
}

/** Makes a signer an issuer that holds ITC and lets the registry take it. */
export async function makeIssuer(world: Deployed, issuer: Signer): Promise<void> {
  const address = await issuer.getAddress();
  await world.registry.registerIssuer(address, "Maker");
  await world.itc.transfer(address, 1_000_000n * BOND);
  await world.itc.connect(issuer).approve(world.addresses.DeviceRegistry, 2n ** 256n - 1n);
}

/** A lot that an issuer has enrolled. */
export interface EnrolledLot {
  readonly id: LotId;
  readonly tree: LotTree;
}

export async function enrolLot(
  world: Deployed,
  issuer: Signer,
  keys: readonly DeviceKey[],
  size = keys.length,
): Promise<EnrolledLot> {
  const tree = new LotTree(keys);
  await world.registry.connect(issuer).enrolLot(tree.root, size, 2, BOND);
  return { id: tree.idFor(await issuer.getAddress()), tree };
}

/** What `activate` takes; each part can be replaced by a wrong one. */
export interface ActivationCall {
  lot: string;
  signer: string;
  owner: string;
  deadline: bigint;
  signature: string;
  path: bigint;
  proof: string[];
}

export const FAR = 4_000_000_000n;

/** A right call for a device of a lot. */
export function activationOf(world: Deployed, lot: EnrolledLot, key: DeviceKey, owner: string): ActivationCall {
  const digest = world.digests.activation({ device: key.id, lot: lot.id, owner, deadline: FAR });
  const { path, siblings } = lot.tree.prove(key.id);
  return {
    lot: lot.id,
    signer: toHex(signerOf(key, world.addresses)),
    owner,
    deadline: FAR,
    signature: toHex(key.sign(digest)),
    path,
    proof: siblings.map(toHex),
  };
}

/** Sends the call from the operator, who is nobody to the device. */
export function send(world: Deployed, call: ActivationCall) {
  const { lot, signer, owner, deadline, signature, path, proof } = call;
  return world.registry.activate(lot, signer, owner, signature, deadline, path, proof);
}

/** The same signature with s in the upper half: the curve accepts it, we don't. */
export function highS(signature: string, kind: CurveKind): string {
  const order = {
    secp256k1: 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n,
    p256: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  }[kind];
  const s = order - BigInt(`0x${signature.slice(66, 130)}`);
  const v = signature.slice(130) === "" ? "" : (55 - Number(`0x${signature.slice(130)}`)).toString(16);
  return signature.slice(0, 66) + s.toString(16).padStart(64, "0") + v;
}

/** Who makes the devices of a test. */
export const makerOf = (world: Deployed) => world.accounts[0] ?? world.operator;

/**
 * Has the maker enrol a lot, and devices of it brought to life.
 *
 * @param unborn Devices that are in the lot, and no more.
 */
export async function activeLot(
  world: Deployed,
  keys: readonly DeviceKey[],
  { unborn = [], owner = world.operator.address }: { unborn?: readonly DeviceKey[]; owner?: string } = {},
): Promise<EnrolledLot> {
  const maker = makerOf(world);
  await makeIssuer(world, maker);
  const lot = await enrolLot(world, maker, [...keys, ...unborn]);
  for (const key of keys) await send(world, activationOf(world, lot, key, owner));
  return lot;
}
