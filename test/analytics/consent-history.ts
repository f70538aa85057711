import { expect } from "chai";
import { type ContractTransactionResponse, ZeroAddress } from "ethers";
import { dice } from "../identity/lives.js";
import {
  type ConsentingWorld,
  consentingOwner,
  inOneSecond,
  keys,
  NO,
  PURPOSE,
  type SignedDecision,
  signatureOn,
  UNLIMITED,
  yes,
} from "./consenting.js";

const STEPS = 260;
const LIMIT = { gasLimit: 1_000_000 };
const DEVICES = keys.slice(0, 3).map(({ id }) => id);
const KINDS = ["grant", "grantDevices", "revoke", "revokeDevices", "unlistDevices"] as const;

type Terms = SignedDecision["terms"];

interface Said {
  readonly time: bigint;
  readonly owner: string;
  readonly kind: (typeof KINDS)[number];
  readonly devices: readonly string[];
  readonly terms: Terms;
}

interface Tenure {
  readonly owner: string;
  readonly since: bigint;
  /** When it was noted. */
  readonly notes: bigint[];
}

const least = (...of: bigint[]) => of.toSorted((a, b) => Number(a - b))[0] ?? 0n;

/** All that was ever said and done, in a row; whatever is asked, it is read through from the start. */
class Model {
  readonly said: Said[] = [];
  readonly tenures = new Map<string, Tenure[]>(DEVICES.map((device) => [device, []]));

  tenuresOf(device: string): Tenure[] {
    return this.tenures.get(device) ?? [];
  }

  /** The tenure at the end of a second, whether or not anyone can know it. */
  trueTenure(device: string, time: bigint): Tenure | undefined {
    return this.tenuresOf(device).findLast(({ since }) => since <= time);
  }

  /** The tenure, if it is the present one or was noted after that second. */
  knownTenure(device: string, time: bigint): Tenure | undefined {
    const tenure = this.trueTenure(device, time);
    const isPresent = tenure === this.tenuresOf(device).at(-1);
    return isPresent || tenure?.notes.some((noted) => noted > time) ? tenure : undefined;
  }

  private answer(said: Said | undefined, time: bigint): Terms | undefined {
    const granted = said?.kind === "grant" || said?.kind === "grantDevices";
    return granted && time < said.terms.expiry ? said.terms : undefined;
  }

  /** What each reading of the past would say: one if the tenure is given, else that the listed word counts, and that it doesn't. */
  readings(owner: string, device: string, time: bigint, tenure?: Tenure): (Terms | undefined)[] {
    const until = this.said.filter((said) => said.owner === owner && said.time <= time);
    const general = until.findLast(({ devices }) => devices.length === 0);
    const listed = until.findLast(({ devices }) => devices.includes(device));
    const both = [this.answer(listed, time), this.answer(general, time)];
    if (!listed || listed.kind === "unlistDevices") return both.slice(1);
    if (!tenure) return both;
    return listed.time >= tenure.since ? both.slice(0, 1) : both.slice(1);
  }

  consentAt(owner: string, device: string, time: bigint): unknown[] {
    const tenure = this.knownTenure(device, time);
    if (tenure && tenure.owner !== owner) return NO;
    const granted = this.readings(owner, device, time, tenure).filter((terms) => terms !== undefined);
    const [first] = granted;
    if (!first) return NO;
    return yes({
      ...first,
      cohort: least(...granted.map(({ cohort }) => cohort)),
      price: least(...granted.map(({ price }) => price)),
      budget: -least(...granted.map(({ budget }) => -budget)),
    });
  }

  /** What really held. */
  truth(owner: string, device: string, time: bigint): Terms | undefined {
    const tenure = this.trueTenure(device, time);
    return tenure?.owner === owner ? this.readings(owner, device, time, tenure)[0] : undefined;
  }
}

/** A thing to do, and what the model makes of it once the second is known. */
interface Act {
  send(): Promise<ContractTransactionResponse>;
  note(time: bigint): void;
}

/** Draws things to do at random. */
class Player {
  readonly owners: ConsentingWorld["accounts"];

  constructor(
    readonly world: ConsentingWorld,
    readonly model: Model,
    readonly roll: (bound: number) => number,
  ) {
    this.owners = [world.owner, world.buyer, world.stranger];
  }

  some<T>(of: readonly T[]): T {
    const one = of[this.roll(of.length)];
    if (one === undefined) throw new Error("Nothing to choose from.");
    return one;
  }

  terms(now: bigint): Terms {
    return {
      expiry: this.roll(3) === 0 ? now + BigInt(20 + this.roll(200)) : 4_000_000_000n,
      cohort: BigInt(this.roll(9)),
      price: BigInt(this.roll(9)),
      budget: this.roll(3) === 0 ? UNLIMITED : BigInt(this.roll(9)),
    };
  }

  say(now: bigint): Act {
    const { world, model } = this;
    const owner = this.some(this.owners);
    const kind = this.some(KINDS);
    const listed = kind === "grant" || kind === "revoke" ? [] : DEVICES.filter(() => this.roll(2) === 0);
    const devices = kind === "grant" || kind === "revoke" || listed.length !== 0 ? listed : [this.some(DEVICES)];
    const terms = this.terms(now);
    const note = (time: bigint) => void model.said.push({ time, owner: owner.address, kind, devices, terms });
    const mine = world.consents.connect(owner);
    const direct = {
      grant: () => mine.grant(PURPOSE, terms, LIMIT),
      grantDevices: () => mine.grantDevices(PURPOSE, devices, terms, LIMIT),
      revoke: () => mine.revoke(PURPOSE, LIMIT),
      revokeDevices: () => mine.revokeDevices(PURPOSE, devices, LIMIT),
      unlistDevices: () => mine.unlistDevices(PURPOSE, devices, LIMIT),
    };
    return { send: direct[kind], note };
  }

  /** Signed words are brought alone: the nonce that is asked for must be that of the block. */
  async bringSaid(now: bigint): Promise<Act> {
    const { world, model } = this;
    const by = this.some(this.owners);
    const [kind, owner] = [this.some(KINDS), by.address];
    const devices = kind === "grant" || kind === "revoke" ? [] : [this.some(DEVICES)];
    const nonce = (await world.consents.nonceOf(owner)) + BigInt(this.roll(3));
    const plain = { owner, decision: KINDS.indexOf(kind), purpose: PURPOSE, devices, terms: this.terms(now) };
    const signed = { ...plain, nonce, deadline: now + 1000n };
    const signature = await signatureOn(world, signed, by);
    return {
      send: () => world.consents.decideFor(signed, signature, LIMIT),
      note: (time) => void model.said.push({ time, owner, kind, devices, terms: signed.terms }),
    };
  }

  /** Who has which device in the middle of a block, for transfers that follow each other. */
  move(holders: Map<string, string>): Act {
    const device = this.some(DEVICES);
    const from = this.owners.find(({ address }) => address === holders.get(device)) ?? this.some(this.owners);
    const to = this.some(this.owners);
    holders.set(device, to.address);
    return {
      send: () => this.world.registry.connect(from).transferFrom(from.address, to.address, device, LIMIT),
      note: (since) => void this.model.tenuresOf(device).push({ owner: to.address, since, notes: [] }),
    };
  }

  noteDevices(): Act {
    const devices = DEVICES.filter(() => this.roll(2) === 0);
    return {
      send: () => this.world.holdings.note(devices, LIMIT),
      note: (time) => {
        for (const device of devices) this.model.tenuresOf(device).at(-1)?.notes.push(time);
      },
    };
  }
}

describe("Random histories of consents and holdings", () => {
  const { world, now, later } = consentingOwner();

  async function play(seed: number, check: (player: Player, time: bigint) => Promise<void>): Promise<void> {
    const model = new Model();
    const player = new Player(world(), model, dice(seed));
    const { roll } = player;
    const holders = new Map<string, string>();
    for (const device of DEVICES) {
      const { activatedAt } = await world().registry.deviceOf(device);
      model.tenuresOf(device).push({ owner: world().owner.address, since: activatedAt, notes: [] });
      holders.set(device, world().owner.address);
    }
    for (let step = 0; step < STEPS; step++) {
      const time = await now();
      const acts: Act[] = [];
      if (roll(5) === 0) acts.push(await player.bringSaid(time));
      else {
        for (let k = 0; k <= roll(4); k++) {
          const which = roll(10);
          acts.push(which < 5 ? player.say(time) : which < 8 ? player.move(holders) : player.noteDevices());
        }
      }
      const second = await inOneSecond(
        world(),
        acts.map(({ send }) => send),
      );
      for (const { note } of acts) note(second);
      if (roll(3) === 0) await later(BigInt(1 + roll(20)));
      if (step % 20 === 19) await check(player, await now());
    }
  }

  /** Seconds at which something happened, those around them, and some at random. */
  function secondsOf(player: Player, last: bigint): bigint[] {
    const { model, roll } = player;
    const start = model.tenuresOf(DEVICES[0] ?? "")[0]?.since ?? 0n;
    const told = model.said.map(({ time }) => time);
    const moved = [...model.tenures.values()].flat().flatMap(({ since, notes }) => [since, ...notes]);
    const events = [...told, ...moved];
    const picked = Array.from({ length: 14 }, () => player.some(events) - 1n + BigInt(roll(3)));
    return [...picked, last, start - 1n, start + BigInt(roll(Number(last - start)))];
  }

  async function answers(player: Player, time: bigint) {
    const { owners } = player;
    const asked = DEVICES.flatMap((device) => owners.map(({ address }) => ({ device, owner: address })));
    return Promise.all(
      asked.map(async ({ device, owner }) => {
        const said = await world().consents.consentAt(owner, device, PURPOSE, time);
        return { device, owner, said };
      }),
    );
  }

  it("consentAt says what a plain model says, for every second", async () => {
    let granted = 0;
    await play(1, async (player, last) => {
      for (const time of secondsOf(player, last)) {
        for (const { device, owner, said } of await answers(player, time)) {
          expect([...said]).to.deep.equal(player.model.consentAt(owner, device, time));
          if (said.granted) granted += 1;
        }
      }
    });
    expect(granted).to.be.greaterThan(300);
  }).timeout(240_000);

  it("what it knows of the past never changes, and it is never stricter than the truth", async () => {
    let kept = 0;
    await play(2, async (player, last) => {
      const { model } = player;
      for (const time of secondsOf(player, last)) {
        if (time >= last) continue;
        for (const { device, owner, said } of await answers(player, time)) {
          const truth = model.truth(owner, device, time);
          if (!truth) continue;
          kept += 1;
          expect(said.granted).to.equal(true);
          expect(said.cohort <= truth.cohort && said.price <= truth.price && said.budget >= truth.budget).to.equal(
            true,
          );
          if (model.knownTenure(device, time)) expect([...said]).to.deep.equal(yes(truth));
        }
      }
    });
    expect(kept).to.be.greaterThan(100);
  }).timeout(240_000);

  it("holderAt knows what was noted, and nothing wrong", async () => {
    const counts = { known: 0, unknown: 0 };
    await play(3, async (player, last) => {
      const { model } = player;
      for (const time of secondsOf(player, last)) {
        for (const device of DEVICES) {
          const [known, owner, since] = await world().holdings.tenureAt(device, time);
          const expected = model.knownTenure(device, time);
          counts[known ? "known" : "unknown"] += 1;
          expect([known, owner, since]).to.deep.equal(
            expected ? [true, expected.owner, expected.since] : [false, ZeroAddress, 0n],
          );
          expect([...(await world().holdings.holderAt(device, time))]).to.deep.equal([known, owner]);
        }
      }
    });
    expect(counts.known).to.be.greaterThan(100);
    expect(counts.unknown).to.be.greaterThan(50);
  }).timeout(240_000);
});
