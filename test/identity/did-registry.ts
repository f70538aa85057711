import { expect } from "chai";
import { Contract } from "ethers";
import { DeviceRegistry__factory } from "../../toolkit/contracts.js";
import type { DidChange } from "../../toolkit/identity/did.js";
import { type DidViews, documentFromViews, presentationOf } from "../../toolkit/identity/did-views.js";
import { toHex } from "../../toolkit/internal/bytes.js";
import { type Deployed, deployed } from "../support.js";
import { checkHistory, type DidDriver, type History } from "./did-histories.js";
import { KEY_ATTRIBUTE, ownKey } from "./did-keys.js";
import { type Device, movesOf, pickMove } from "./did-moves.js";
import { activationOf, enrolLot, keyOf, makeIssuer, send } from "./fleet.js";

const HISTORIES = 200;
const FOREVER = 2n ** 256n - 1n;

describe("did:ethr documents over random histories of our registry", () => {
  const played = new Map<string, number>();

  it("is one document for the unmodified resolver, the model and the views, in every block", async () => {
    const world = await deployed();
    const driver = await registryDriver(world, played);
    for (let seed = 1; seed <= HISTORIES; seed++) await checkHistory(world, driver, 1_000 + seed);
  });

  it("plays every kind of change", () => {
    expect(Object.fromEntries([...played].filter(([, count]) => count < 5))).to.deep.equal({});
    expect([...played.keys()].sort()).to.deep.equal(
      [
        "addDelegate",
        "completeRecovery",
        "revokeDevice",
        "refused",
        "requestRecovery",
        "resume",
        "retire",
        "revokeAttribute",
        "revokeDelegate",
        "revokeKey",
        "rotateKey",
        "setAttribute",
        "suspend",
        "transfer",
      ].sort(), // prettier-ignore
    );
  });
});

async function registryDriver(world: Deployed, played: Map<string, number>): Promise<DidDriver<Device>> {
  const contract = new Contract(world.addresses.DeviceRegistry, DeviceRegistry__factory.abi, world.ethers.provider);
  const views = contract as unknown as DidViews;
  const [issuer, ...owners] = world.accounts;
  if (!issuer) throw new Error("The chain has no accounts.");
  await makeIssuer(world, issuer);
  const keys = Array.from({ length: HISTORIES }, (_, k) => keyOf(`did-${k}`, k % 2 === 0 ? "secp256k1" : "p256"));
  const lot = await enrolLot(world, issuer, keys);
  const moves = await movesOf(world, contract, issuer, lot, owners);
  return {
    contract: views,
    begin: async (dice) => {
      const key = keys.shift();
      if (!key) throw new Error("There are no more devices.");
      const owner = (owners[dice.below(4)] ?? issuer).address;
      await send(world, activationOf(world, lot, key, owner));
      const first = ownKey(world, key);
      const signers = [{ block: await world.ethers.provider.getBlockNumber(), signer: first.signer }];
      const empty = { state: "active", keyEvents: 0n, delegates: [], attributes: [], recovery: undefined } as const;
      const identity: Device = {
        address: key.id,
        owner,
        key: first,
        ...empty,
        delegates: [],
        attributes: [],
        voided: new Set(),
        signers,
      };
      return { identity, born: [{ kind: "owner", owner }, first.event(FOREVER)] };
    },
    // A recovery takes days: sometimes they pass.
    earliest: ({ recovery }, dice) => (recovery && dice.below(2) === 0 ? recovery.readyAt : 0n),
    play: async (device, dice, time) => {
      const changes: DidChange[] = [];
      for (let count = 1 + dice.below(3); count > 0; count--) {
        const [name, move] = pickMove(moves, device, dice, time);
        played.set(name, (played.get(name) ?? 0) + 1);
        changes.push(...(await move(device, dice, time)));
      }
      const block = (await world.ethers.provider.getBlockNumber()) + 1;
      device.signers.push({ block, signer: device.key?.signer ?? new Uint8Array() });
      return changes;
    },
    view: async (device, history, block) => {
      const presented = presentedAt(device, history, block);
      const present = block === (await world.ethers.provider.getBlockNumber());
      if (present) expect(await presentationOf(views, device.address, presented.signer)).to.deep.equal(presented);
      return documentFromViews(views, device.address, presented, block);
    },
  };
}

function presentedAt(device: Device, history: History, block: number) {
  const signer = device.signers.findLast((one) => one.block <= block)?.signer ?? new Uint8Array();
  const attributes = history.flatMap(({ block: of, change }) => {
    if (of > block || change.kind !== "attribute" || toHex(change.name) === toHex(KEY_ATTRIBUTE)) return [];
    return [{ name: change.name, value: change.value, validTo: change.validTo }];
  });
  return { signer, attributes };
}
