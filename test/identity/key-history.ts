import { expect } from "chai";
import { decodeRevert, revertDataOf } from "../../toolkit/reverts.js";
import { cold, contradictions, warm } from "./contradictions.js";
import { BOND, FAR } from "./fleet.js";
import { curveKey, keyedFleet, type RingKey } from "./keyring.js";

const STEPS = 700;
const [OWNER, ISSUER, FAULT, KEYLESS] = [1, 2, 4, 8];

/** Numbers below `bound` that are the same in each run (a linear congruential generator). */
function dice(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}

/** A device in plain TypeScript. `moves` goes up with each change of key or owner: a recovery holds it. */
class Model {
  holds = 0;
  key: RingKey | undefined;
  last: RingKey;
  moves = 0;
  readonly voided = new Set<RingKey>();
  pending: { to: RingKey; readyAt: bigint; moves: number } | undefined;
  bond = BOND;

  constructor(
    first: RingKey,
    public owner: string,
    readonly issuer: string,
  ) {
    this.key = first;
    this.last = first;
  }

  rotate(from: RingKey, to: RingKey, right: boolean): string | undefined {
    if (this.holds !== 0) return "DeviceRegistryWrongState";
    if (to === this.key) return "DeviceKeysSameKey";
    if (this.voided.has(to)) return "DeviceKeysVoidKey";
    if (from !== this.key) return "DeviceKeysNotTheKey";
    if (!right) return "DeviceKeysInvalidSignature";
    return this.take(to);
  }

  revokeKey(who: string, key: RingKey): string | undefined {
    if (who !== this.owner && who !== this.issuer) return "DeviceRegistryNotAllowed";
    if (key !== this.key) return "DeviceKeysNotTheKey";
    return this.lose(KEYLESS);
  }

  request(who: string, to: RingKey, readyAt: bigint): string | undefined {
    if (who !== this.owner) return "DeviceRegistryNotAllowed";
    if (to === this.key) return "DeviceKeysSameKey";
    if (this.voided.has(to)) return "DeviceKeysVoidKey";
    this.pending = { to, readyAt, moves: this.moves };
    return undefined;
  }

  cancel(who: string, key: RingKey): string | undefined {
    if (!this.pending) return "DeviceKeysNoRecovery";
    if (who !== this.owner && who !== this.issuer && key !== this.key) return "DeviceKeysNotTheKey";
    this.pending = undefined;
    return undefined;
  }

  complete(from: RingKey, to: RingKey, readyAt: bigint, time: bigint): string | undefined {
    const { pending } = this;
    if (pending?.to !== to || pending.readyAt !== readyAt || pending.moves !== this.moves) {
      return "DeviceKeysNoRecovery";
    }
    if (time < readyAt) return "DeviceKeysRecoveryNotReady";
    if (this.key && from !== this.key) return "DeviceKeysNotTheKey";
    this.pending = undefined;
    this.holds &= ~KEYLESS;
    return this.take(to);
  }

  prove(key: RingKey): string | undefined {
    if (this.bond === 0n) return "DeviceKeysNothingAtStake";
    if (key !== this.key) return "DeviceKeysNotTheKey";
    this.bond = 0n;
    return this.lose(FAULT | KEYLESS);
  }

  restore(who: string): string | undefined {
    if (who !== this.issuer) return "DeviceRegistryNotAllowed";
    if (this.holds === 0) return "DeviceRegistryWrongState";
    if ((this.holds & FAULT) === 0) return "DeviceRegistryNoFault";
    this.holds &= ~FAULT;
    this.bond = BOND;
    return undefined;
  }

  suspend(who: string, on: boolean): string | undefined {
    const hold = who === this.owner ? OWNER : who === this.issuer ? ISSUER : 0;
    if (hold === 0) return "DeviceRegistryNotAllowed";
    if (((this.holds & hold) !== 0) === on) return "DeviceRegistryWrongState";
    this.holds ^= hold;
    return undefined;
  }

  transfer(who: string, to: string): string | undefined {
    if (who !== this.owner) return "ERC721InsufficientApproval";
    this.owner = to;
    this.moves++;
    return undefined;
  }

  private take(key: RingKey): undefined {
    [this.key, this.last] = [key, key];
    this.moves++;
  }

  private lose(holds: number): undefined {
    if (this.key) this.voided.add(this.key);
    this.key = undefined;
    this.holds |= holds;
    this.moves++;
  }
}

describe("DeviceRegistry's random history of keys", () => {
  const fleet = keyedFleet();
  const { world, registry, ring, maker, owner, stranger, other, counts, keyChange } = fleet;

  it("is what a model in plain TypeScript says of it, step by step", async () => {
    const random = dice(4);
    const pick = <T>(choices: readonly T[]): T => choices[random(choices.length)] as T;
    const { prove, signed } = contradictions(fleet);
    const people = [owner(), other(), maker(), stranger()];
    const firsts = [ring().secp256k1[0], ring().p256[0], ring().erc1271[0]];
    const models = new Map(firsts.map((key) => [key.id, new Model(key, owner().address, maker().address)]));
    // Enough that some are left when others are void.
    const fresh = Array.from({ length: 12 }, (_, k) => curveKey(world(), `spare ${k}`, k % 2 ? "p256" : "secp256k1"));
    const spare = [ring().secp256k1[1], ring().p256[1], ring().erc1271[1], ...fresh];
    let [slashed, readyAt] = [0n, 0n];

    type Action = readonly [
      what: string,
      expected: (model: Model, time: bigint) => string | undefined,
      send: () => Promise<unknown>,
    ];

    /** Something that somebody may try with a device: right more often than not. */
    async function action(device: RingKey, model: Model, delay: bigint): Promise<Action> {
      const keys = [device, ...spare];
      const who = random(3) === 0 ? pick(people) : (people.find((one) => one.address === model.owner) ?? owner());
      const key = random(4) === 0 ? pick(keys) : model.last;
      const to = random(4) === 0 && model.pending ? model.pending.to : pick(keys);
      const { id } = device;
      const { address: heir } = pick([owner(), other()]);
      const as = registry(who);
      const change = await keyChange(id, to);
      const right = random(5) !== 0;
      const at = random(6) === 0 ? readyAt : (model.pending?.readyAt ?? readyAt);
      const veto = Buffer.from((await as.cancelRecoveryDigest(id)).slice(2), "hex");
      const completing = model.pending && random(5) !== 0 ? model.pending.to : to;
      const actions: readonly Action[] = [
        [
          "rotate",
          (m) => m.rotate(key, to, right),
          () =>
            as.rotateKey(id, key.signer, to.signer, FAR, right ? key.sign(change) : to.sign(change), to.sign(change)),
        ],
        ["revokeKey", (m) => m.revokeKey(who.address, key), () => as.revokeKey(id, key.signer)],
        [
          "request",
          (m, time) => m.request(who.address, to, (readyAt = time + delay)),
          () => as.requestRecovery(id, to.signer, FAR, to.sign(change)),
        ],
        ["cancel", (m) => m.cancel(who.address, key), () => as.cancelRecovery(id, key.signer, key.sign(veto))],
        [
          "complete",
          (m, time) => m.complete(key, completing, at, time),
          () => as.completeRecovery(id, key.signer, completing.signer, at),
        ],
        [
          "prove",
          (m) => m.prove(key),
          () => prove(key, [warm, cold], [signed(key, warm, id), signed(key, cold, id)], id),
        ],
        ["restore", (m) => m.restore(maker().address), () => registry(maker()).restoreBond(id)],
        ["suspend", (m) => m.suspend(who.address, true), () => as.suspend(id)],
        ["resume", (m) => m.suspend(who.address, false), () => as.resume(id)],
        ["transfer", (m) => m.transfer(who.address, heir), () => as.transferFrom(who.address, heir, id)],
      ];
      const weights = [0, 0, 0, 0, 0, 1, 2, 2, 2, 2, 3, 4, 4, 4, 4, 4, 5, 6, 6, 6, 7, 8, 8, 8, 8, 9];
      return actions[pick(weights)] as Action;
    }

    const delay = await registry().recoveryDelay();
    const seen = new Map<string, number>();
    for (let step = 0; step < STEPS; step++) {
      const device = pick(firsts);
      const model = models.get(device.id) as Model;
      const [what, expected, send] = await action(device, model, delay);
      const time = (await fleet.now()) + pick([1n, 1n, 60n, delay / 2n, delay]);
      await world().networkHelpers.time.setNextBlockTimestamp(time);
      const before = model.bond;
      const error = expected(model, time);
      const outcome = `${what}: ${error ?? "done"}`;
      seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
      const found = await send().then(
        () => undefined,
        (failure: unknown) => decodeRevert(revertDataOf(failure) ?? "")?.name ?? String(failure),
      );
      expect(found, `step ${step}: ${what}`).to.equal(error);
      if (error !== undefined) await world().networkHelpers.mine();
      if (what === "prove" && before !== model.bond) slashed += BOND;
      const { state, kind } = await registry().deviceOf(device.id);
      const { holds, bond } = await registry().standingOf(device.id);
      expect([state, kind, holds, bond], `step ${step}: ${what}`).to.deep.equal([
        model.holds === 0 ? 1n : 2n,
        BigInt(model.last.kind),
        BigInt(model.holds),
        model.bond,
      ]);
      for (const key of [device, ...spare]) {
        expect(await counts(device.id, key)).to.equal(model.holds === 0 && key === model.key);
      }
      expect(await registry().pool()).to.equal(slashed / 2n);
    }
    // A history in which little happens shows little.
    for (const [what, errors] of Object.entries({
      rotate: [
        "done",
        "DeviceRegistryWrongState",
        "DeviceKeysSameKey",
        "DeviceKeysNotTheKey",
        "DeviceKeysInvalidSignature",
      ],
      revokeKey: ["done", "DeviceRegistryNotAllowed", "DeviceKeysNotTheKey"],
      request: ["done", "DeviceRegistryNotAllowed", "DeviceKeysSameKey"],
      cancel: ["done", "DeviceKeysNoRecovery"],
      complete: ["done", "DeviceKeysNoRecovery", "DeviceKeysRecoveryNotReady"],
      prove: ["done", "DeviceKeysNotTheKey", "DeviceKeysNothingAtStake"],
      restore: ["done", "DeviceRegistryWrongState", "DeviceRegistryNoFault"],
    })) {
      expect([...seen.keys()]).to.include.members(errors.map((error) => `${what}: ${error}`));
    }
  });
});
