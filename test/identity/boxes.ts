import { expect } from "chai";
import { recoverAddress, type Signer } from "ethers";
import {
  type Claim,
  type ClaimCode,
  ClaimTree,
  claimCode,
  claimDigest,
  claimKey,
  signClaim,
} from "../../toolkit/identity/claims.js";
import type { DeviceKey } from "../../toolkit/identity/keys.js";
import { fromHex, toHex } from "../../toolkit/internal/bytes.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { deployed } from "../support.js";
import { activationOf, enrolLot, FAR, keyOf, makeIssuer, send } from "./fleet.js";

export const first = keyOf("boxed-0");
export const second = keyOf("boxed-1");
export const boxes = [first, second, keyOf("boxed-2"), keyOf("boxed-3")];

/** A code that is the same in each run. */
export const codeOf = (label: string): ClaimCode => claimCode(fromHex(secretOf(1, `code of ${label}`)).subarray(0, 16));
/** The code that lies in a device's box. */
export const boxed = (key: DeviceKey): ClaimCode => codeOf(key.id);
export const entryOf = (key: DeviceKey, code = boxed(key)) => ({ device: key.id, key: claimKey(key.id, code).id });

export const tree = new ClaimTree(boxes.map((key) => entryOf(key)));

/** What `claim` takes; each part can be replaced by a wrong one. */
export interface ClaimCall extends Claim {
  readonly signature: string;
  readonly path: bigint;
  readonly proof: readonly string[];
}

export function argsOf({ device, from, to, root, deadline, signature, path, proof }: ClaimCall) {
  return [device, from, to, root, deadline, signature, path, [...proof] as string[]] as const;
}

/** A maker with active devices in boxes, who trusts the desk, and the others of the trade. */
export async function openDesk() {
  const world = await deployed();
  const account = (k: number) => world.accounts[k] ?? world.operator;
  const [maker, retailer, buyer, thief] = [account(0), account(1), account(2), account(3)];
  await makeIssuer(world, maker);
  const lot = await enrolLot(world, maker, boxes);
  for (const key of boxes) await send(world, activationOf(world, lot, key, maker.address));
  await world.registry.connect(maker).setApprovalForAll(world.addresses.ClaimDesk, true);
  const domain = { chainId: world.chainId, desk: world.addresses.ClaimDesk };

  /** A right call of the buyer, or one that is right for other words. */
  function claimOf(said: Partial<Claim> = {}, code = boxed(first), of = tree): ClaimCall {
    const words = { device: first.id, from: maker.address, to: buyer.address, root: of.root, deadline: FAR };
    const claim: Claim = { ...words, ...said };
    const { path, siblings } = of.prove(claim.device);
    return { ...claim, signature: toHex(signClaim(code, domain, claim)), path, proof: siblings.map(toHex) };
  }

  /** Sends a call, from the operator if from nobody else, who is nobody to it. */
  const claim = (call: ClaimCall, by: Signer = world.operator) => world.claims.connect(by).claim(...argsOf(call));

  /** Refused with this error, and the device has the owner that it had, since when it had. */
  async function refused(call: ClaimCall, error: string, ...args: unknown[]): Promise<void> {
    const held = async () => [
      await world.registry.ownerOf(call.device),
      (await world.registry.deviceOf(call.device)).ownedSince,
    ];
    const before = await held();
    const attempt = expect(claim(call)).to.be.revertedWithCustomError(world.claims, error);
    await (args.length > 0 ? attempt.withArgs(...args) : attempt);
    expect(await held()).to.deep.equal(before);
  }

  /** Refused, since the signature over the call's words is by a key that the tree doesn't have. */
  const wrongCode = (call: ClaimCall) => {
    const key = recoverAddress(claimDigest(domain, call), call.signature);
    return refused(call, "ClaimDeskWrongCode", call.device, key, call.root);
  };

  return {
    world,
    parties: { maker, retailer, buyer, thief },
    domain,
    claimOf,
    claim,
    refused,
    wrongCode,
    now: async () => BigInt(await world.networkHelpers.time.latest()),
    offer: (by: Signer, root = tree.root, expiry = FAR) => world.claims.connect(by).offer(root, expiry),
    transfer: (from: Signer & { address: string }, to: string, key = first) =>
      world.registry.connect(from).transferFrom(from.address, to, key.id),
    ownerOf: (key = first) => world.registry.ownerOf(key.id),
  };
}

export type Desk = Awaited<ReturnType<typeof openDesk>>;
