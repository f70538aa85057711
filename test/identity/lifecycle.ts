import { readFile } from "node:fs/promises";
import { expect } from "chai";
import { type ContractTransactionResponse, encodeBytes32String, type Signer, ZeroAddress } from "ethers";
import { type DeviceKey, signerOf } from "../../toolkit/identity/keys.js";
import { fromHex, toHex } from "../../toolkit/internal/bytes.js";
import { type Deployed, deployed } from "../support.js";
import { activationOf, BOND, type EnrolledLot, enrolLot, FAR, keyOf, makeIssuer, send } from "./fleet.js";
import {
  type ActionName,
  CALLERS,
  type Caller,
  CELLS,
  type Cell,
  HOLDS,
  lifecycleMarkdown,
  REFUSALS,
  type Refusal,
  STANDINGS,
  type Standing,
} from "./lifecycle-table.js";
import { contradict, type Picture, pictureOf } from "./lives.js";

const key = keyOf("cell");
const next = keyOf("cell-next");
const SERVICE = encodeBytes32String("did/svc/Hub");
const STATES = ["None", "Active", "Suspended", "Retired", "Revoked"];

/** What happened: in which second and block. */
interface Moment {
  readonly now: bigint;
  readonly block: bigint;
}

/** How an action is sent, and what of the picture it changes beside state and holds. */
interface Action {
  readonly send: (stage: Stage, by: Signer) => Promise<ContractTransactionResponse>;
  readonly event: string;
  readonly change: (before: Picture, moment: Moment, stage: Stage) => Partial<Picture>;
}

interface Stage {
  readonly world: Deployed;
  readonly lot: EnrolledLot;
  readonly callers: Readonly<Record<Caller, Signer>>;
  readonly buyer: string;
  readonly ownerAddress: string;
}

const gone = (_: Picture, { block }: Moment): Partial<Picture> => ({
  controller: ZeroAddress,
  changed: block,
  key: "0,0",
});
const alive = ({ state }: Picture) => state === 1n || state === 2n;
const hex = (signer: DeviceKey, { addresses }: Deployed) => toHex(signerOf(signer, addresses));

const ACTIONS: Readonly<Record<ActionName, Action>> = {
  suspend: {
    send: ({ world }, by) => world.registry.connect(by).suspend(key.id),
    event: "DeviceSuspended",
    change: () => ({}),
  },
  resume: {
    send: ({ world }, by) => world.registry.connect(by).resume(key.id),
    event: "DeviceResumed",
    change: () => ({}),
  },
  retire: {
    send: ({ world }, by) => world.registry.connect(by).retire(key.id),
    event: "DeviceRetired",
    change: gone,
  },
  revokeDevice: {
    send: ({ world, lot }, by) => world.registry.connect(by).revokeDevice(lot.id, key.id),
    event: "DeviceRevoked",
    change: (before, moment) => (alive(before) ? gone(before, moment) : {}),
  },
  releaseBond: {
    send: ({ world }, by) => world.registry.connect(by).releaseBond(key.id),
    event: "BondMoved",
    change: ({ balance, bond }) => ({ bond: 0n, balance: balance - bond }),
  },
  restoreBond: {
    send: ({ world }, by) => world.registry.connect(by).restoreBond(key.id),
    event: "BondMoved",
    change: ({ balance }) => ({ bond: BOND, balance: balance + BOND }),
  },
  stateAssurance: {
    send: ({ world }, by) => world.registry.connect(by).stateAssurance(key.id, 1),
    event: "AssuranceStated",
    change: () => ({ assurance: 1n }),
  },
  revokeKey: {
    send: ({ world }, by) => world.registry.connect(by).revokeKey(key.id, hex(key, world)),
    event: "DIDDelegateChanged",
    change: (_, { block }) => ({ changed: block, key: "0,0" }),
  },
  requestRecovery: {
    send: async ({ world }, by) => {
      const digest = await world.registry.keyChangeDigest(key.id, hex(next, world), FAR);
      const signature = toHex(next.sign(fromHex(digest)));
      return world.registry.connect(by).requestRecovery(key.id, hex(next, world), FAR, signature);
    },
    event: "RecoveryRequested",
    change: () => ({}),
  },
  transferFrom: {
    send: ({ world, ownerAddress, buyer }, by) => world.registry.connect(by).transferFrom(ownerAddress, buyer, key.id),
    event: "Transfer",
    change: (before, { now, block }, { buyer }) => ({
      owner: buyer,
      ownedSince: now,
      ...(alive(before) && { controller: buyer, changed: block }),
    }),
  },
  setUser: {
    send: ({ world, buyer }, by) => world.registry.connect(by).setUser(key.id, buyer, FAR),
    event: "UpdateUser",
    change: () => ({ userExpires: FAR }),
  },
  addDelegate: {
    send: ({ world, buyer }, by) =>
      world.registry.connect(by).addDelegate(key.id, encodeBytes32String("veriKey"), buyer, 60),
    event: "DIDDelegateChanged",
    change: (_, { block }, { buyer }) => ({ changed: block, delegates: buyer }),
  },
  setAttribute: {
    send: ({ world }, by) => world.registry.connect(by).setAttribute(key.id, SERVICE, "0x01", 60),
    event: "DIDAttributeChanged",
    change: (_, { block }) => ({ changed: block, attributes: "changed" }),
  },
};

/** Brings the device of a fresh stage to where it shall stand. */
async function bring({ world, lot, callers, ownerAddress }: Stage, standing: Standing): Promise<void> {
  if (standing === "None") return;
  const by = (caller: Caller) => world.registry.connect(callers[caller]);
  await send(world, activationOf(world, lot, key, ownerAddress));
  if (standing === "Retired") await by("owner").retire(key.id);
  if (standing === "Revoked") await by("issuer").revokeDevice(lot.id, key.id);
  if (standing.includes("O")) await by("owner").suspend(key.id);
  if (standing.includes("I")) await by("issuer").suspend(key.id);
  if (standing === "K") await by("owner").revokeKey(key.id, hex(key, world));
  if (standing === "FK") await contradict(world, key, callers.stranger);
}

async function openStage(): Promise<Stage> {
  const world = await deployed();
  const [issuer, owner, approved, stranger, buyer] = world.accounts;
  if (!issuer || !owner || !approved || !stranger || !buyer) throw new Error("The chain has too few signers.");
  const device = await world.ethers.getImpersonatedSigner(key.id);
  await world.networkHelpers.setBalance(key.id, BOND);
  await makeIssuer(world, issuer);
  const lot = await enrolLot(world, issuer, [key, keyOf("beside"), keyOf("beside too")]);
  await world.registry.connect(owner).setApprovalForAll(approved.address, true);
  const callers = { owner, issuer, device, approved, registrar: world.operator, stranger };
  return { world, lot, callers, buyer: buyer.address, ownerAddress: owner.address };
}

/** State and holds as the table spells them; at its end a device keeps the holds that it had. */
function standingAs(outcome: string, before: Picture): Pick<Picture, "state" | "holds"> {
  if (outcome === "same") return { state: before.state, holds: before.holds };
  const state = STATES.indexOf(outcome);
  if (state !== -1) return { state: BigInt(state), holds: state === 1 ? 0n : before.holds };
  return { state: 2n, holds: [...outcome].reduce((sum, letter) => sum + (HOLDS[letter] ?? 0n), 0n) };
}

describe("DeviceRegistry's lifecycle", () => {
  let stage: Stage;
  let picture: Picture;
  let restore: () => Promise<void>;

  before(async () => {
    stage = await openStage();
  });

  /** What a refusal says beside its name. */
  async function argsOf(outcome: Refusal, caller: Caller): Promise<unknown[]> {
    const { lot, callers, world } = stage;
    const sender = await callers[caller].getAddress();
    const freeAt = picture.stateSince + (await world.registry.bondDelay());
    return {
      state: [key.id, picture.state],
      denied: [key.id, sender],
      maker: [lot.id, sender],
      again: [key.id, lot.id],
      early: [key.id, freeAt],
      "no fault": [key.id],
      "not key": [key.id, hex(key, world)],
      "no token": [BigInt(key.id)],
      unapproved: [sender, BigInt(key.id)],
    }[outcome];
  }

  async function refuses({ action, caller }: Cell, outcome: Refusal): Promise<void> {
    const { registry } = stage.world;
    await expect(ACTIONS[action].send(stage, stage.callers[caller]))
      .to.be.revertedWithCustomError(registry, REFUSALS[outcome])
      .withArgs(...(await argsOf(outcome, caller)));
    expect(await pictureOf(stage.world, key.id)).to.deep.equal(picture);
  }

  async function moves({ action, caller, outcome }: Cell): Promise<void> {
    const { world, callers } = stage;
    const { send: act, event, change } = ACTIONS[action];
    const receipt = await (await act(stage, callers[caller])).wait();
    if (!receipt) throw new Error("There is no receipt.");
    const own = receipt.logs.filter(({ address }) => address === world.addresses.DeviceRegistry);
    expect(own.map((log) => world.registry.interface.parseLog(log)?.name)).to.include(event);
    const now = BigInt(await world.networkHelpers.time.latest());
    const standing = standingAs(outcome, picture);
    expect(await pictureOf(world, key.id, picture.attributes)).to.deep.equal({
      ...picture,
      ...(standing.state !== picture.state && { stateSince: now }),
      ...standing,
      ...change(picture, { now, block: BigInt(receipt.blockNumber) }, stage),
    });
  }

  for (const standing of STANDINGS) {
    describe(`of a device that is ${standing}`, () => {
      let fresh: () => Promise<void>;

      before(async () => {
        const base = await stage.world.networkHelpers.takeSnapshot();
        fresh = () => base.restore();
        await bring(stage, standing);
        picture = await pictureOf(stage.world, key.id);
        const snapshot = await stage.world.networkHelpers.takeSnapshot();
        restore = () => snapshot.restore();
      });

      afterEach(() => restore());
      after(() => fresh());

      it("stands where the table has it", () => {
        const { state, holds } = picture;
        expect({ state, holds }).to.deep.equal(standingAs(standing, { ...picture, holds: 0n }));
      });

      for (const cell of CELLS.filter((one) => one.standing === standing)) {
        const { action, caller, outcome, late } = cell;
        it(`${action} by ${caller}${late ? " after the delay" : ""}: ${outcome}`, async () => {
          if (late) await stage.world.networkHelpers.time.increase(await stage.world.registry.bondDelay());
          await (outcome in REFUSALS ? refuses(cell, outcome as Refusal) : moves(cell));
        });
      }
    });
  }

  it("is tried in every cell of the table, once", () => {
    const ids = CELLS.map(({ action, caller, standing, late }) => [action, caller, standing, late].join());
    expect(new Set(ids).size).to.equal(ids.length);
    // releaseBond has two columns of callers: before and after its delay.
    expect(ids.length).to.equal((Object.keys(ACTIONS).length + 1) * CALLERS.length * STANDINGS.length);
    expect(CELLS.filter(({ outcome }) => outcome === "")).to.deep.equal([]);
  });

  it("is what docs/identity.md shows", async () => {
    const page = await readFile(new URL("../../docs/identity.md", import.meta.url), "utf8");
    const [, shown] = /<!-- lifecycle table: begin -->\n\n([\s\S]*)\n\n<!-- lifecycle table: end -->/.exec(page) ?? [];
    expect(shown).to.equal(lifecycleMarkdown());
  });

  it("takes both holds of a maker that owns its device, and both away", async () => {
    const { world, lot, callers } = await openStage();
    await send(world, activationOf(world, lot, key, await callers.issuer.getAddress()));
    const registry = world.registry.connect(callers.issuer);
    await expect(registry.suspend(key.id)).to.emit(registry, "DeviceSuspended").withArgs(lot.id, key.id, 3);
    await expect(registry.suspend(key.id))
      .to.be.revertedWithCustomError(registry, "DeviceRegistryWrongState")
      .withArgs(key.id, 2);
    await expect(registry.resume(key.id)).to.emit(registry, "DeviceResumed").withArgs(lot.id, key.id, 3, 0);
    expect(await registry.isActive(key.id)).to.equal(true);
  });
});
