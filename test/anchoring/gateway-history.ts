import { expect } from "chai";
import { writeEvidence } from "../../toolkit/anchoring/evidence.js";
import type { Gateway } from "../../toolkit/anchoring/gateway.js";
import { GatewayError } from "../../toolkit/anchoring/gateway-errors.js";
import type { SignedReading } from "../../toolkit/anchoring/readings.js";
import { verifyEvidence } from "../../toolkit/anchoring/verify.js";
import type { DeviceKey } from "../../toolkit/identity/keys.js";
import { toHex } from "../../toolkit/internal/bytes.js";
import { activeLot, keyOf } from "../identity/fleet.js";
import { Dice } from "../invariant/dice.js";
import { GWEI, Rig, rain, refused, wind } from "./gateway-rig.js";

const RUNS = Number(process.env.RUNS ?? 4);
const ACTIONS = Number(process.env.ACTIONS ?? 150);
const SEED = Number(process.env.SEED ?? 1);
const LABELS = ["history-a", "history-b", "history-c"];

/** What the node and the chain may bring upon a gateway; `ITC_GATEWAY_FOREIGN_ENTRY` may never come of it. */
const EXPECTED = ["ITC_GATEWAY_NODE", "ITC_GATEWAY_LOG_MOVES", "ITC_GATEWAY_LOG_SHORT", "ITC_GATEWAY_REFUSED"];

/** One gateway through one random history, and what it should know by then. */
class History {
  private readonly received = new Map<string, SignedReading[]>();
  private readonly publisher: DeviceKey;
  private readonly file: string;
  private snapshot: string | undefined;

  private constructor(
    private readonly rig: Rig,
    private readonly dice: Dice,
    private gateway: Gateway,
    { publisher, file }: { publisher: DeviceKey; file: string },
  ) {
    this.publisher = publisher;
    this.file = file;
    for (const label of LABELS) gateway.admit(keyOf(label));
  }

  static async begin(rig: Rig, seed: number): Promise<History> {
    const own = { publisher: await rig.publisher(), file: rig.file() };
    return new History(rig, new Dice(seed), await History.open(rig, own), own);
  }

  private static open(rig: Rig, own: { publisher: DeviceKey; file: string }): Promise<Gateway> {
    const fees = { ceiling: 30n * GWEI, patience: 1n };
    return rig.open({ ...own, fees, batch: { readings: 3, seconds: 20n }, confirmations: 2n });
  }

  async act(): Promise<void> {
    const { dice, rig } = this;
    await dice.weighted<() => Promise<unknown> | unknown>([
      [30, () => this.receive()],
      [5, () => this.resend()],
      [5, () => this.offend()],
      [30, () => this.tick()],
      [15, () => rig.mine(1 + dice.below(3))],
      [4, () => (rig.now += BigInt(dice.below(30)))],
      [3, () => this.reorganise()],
      [3, () => this.drop()],
      [
        2,
        () => rig.ask("hardhat_setNextBlockBaseFeePerGas", [`0x${(GWEI * BigInt(1 + dice.below(60))).toString(16)}`]),
      ],
      [4, () => this.trouble()],
      [2, () => rig.node.heal()],
      [2, () => this.reopen()],
    ])();
  }

  /** Lets it finish, and checks that each reading is in one entry, in order, and proved. */
  async check(): Promise<{ readings: number; entries: bigint }> {
    const { rig, gateway } = this;
    rig.node.heal();
    await rig.ask("hardhat_setNextBlockBaseFeePerGas", [`0x${GWEI.toString(16)}`]);
    // A reorg beyond what counts as final is found with the next batch, and mended by looking further back each time.
    this.receive();
    gateway.seal();
    for (let k = 0; k < 5; k++) {
      await rig.mine();
      await this.tick();
    }
    await rig.settle(gateway, 200);
    const { size, root } = gateway.log();
    expect(toHex(root)).to.equal(await rig.world.anchor.rootOf(this.publisher.id));
    const counts = new Map<bigint, bigint>();
    for (const readings of this.received.values()) {
      const last = new Map<string, bigint>();
      for (const reading of readings) {
        const evidence = gateway.evidenceOf(reading.device, reading.sequence);
        expect(evidence.reading).to.deep.equal(reading);
        const { holds, findings } = await verifyEvidence(writeEvidence(evidence), rig.world.ethers.provider);
        expect(holds, JSON.stringify(findings)).to.equal(true);
        const { index } = evidence.entry;
        counts.set(index, evidence.batch.count);
        expect(index >= (last.get(toHex(reading.schema)) ?? 0n), "in order").to.equal(true);
        last.set(toHex(reading.schema), index);
      }
    }
    const readings = [...this.received.values()].reduce((sum, { length }) => sum + length, 0);
    expect([...counts.values()].reduce((sum, count) => sum + count, 0n)).to.equal(BigInt(readings));
    expect([BigInt(counts.size), await rig.sizeOf(this.publisher)]).to.deep.equal([size, size]);
    await gateway.close();
    return { readings, entries: size };
  }

  private receive(): void {
    const label = this.dice.pick(LABELS);
    const readings = this.received.get(label) ?? [];
    const reading = this.rig.reading(label, BigInt(readings.length), { schema: this.dice.pick([wind, rain]) });
    this.gateway.receive(reading);
    this.received.set(label, [...readings, reading]);
  }

  private resend(): void {
    const readings = [...this.received.values()].flat();
    if (readings.length > 0) this.gateway.receive(this.dice.pick(readings));
  }

  private async offend(): Promise<void> {
    const label = this.dice.pick(LABELS);
    const next = BigInt(this.received.get(label)?.length ?? 0);
    await refused(() => this.gateway.receive(this.rig.reading(label, next + 1n)), "ITC_GATEWAY_SEQUENCE");
    const forged = { signature: this.rig.reading("history-x", next).signature };
    await refused(() => this.gateway.receive(this.rig.reading(label, next, forged)), "ITC_GATEWAY_SIGNATURE");
    if (next === 0n) return;
    const other = this.rig.reading(label, next - 1n, { content: this.dice.bytes() });
    await refused(() => this.gateway.receive(other), "ITC_GATEWAY_CONTRADICTION");
  }

  private async tick(): Promise<void> {
    try {
      await this.gateway.tick();
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      expect(error.code, error.message).to.be.oneOf(EXPECTED);
    }
  }

  /** Goes back to a block of before, sometimes one beyond what counts as final. */
  private async reorganise(): Promise<void> {
    const { rig, dice } = this;
    if (this.snapshot !== undefined) {
      await rig.ask("evm_revert", [this.snapshot]);
      await rig.ask("evm_increaseTime", [1 + dice.below(100)]);
      if (dice.chance(70)) await rig.mine(1 + dice.below(6));
    }
    this.snapshot = await rig.ask("evm_snapshot", []);
  }

  private async drop(): Promise<void> {
    const { transactions } = await this.rig.ask("eth_getBlockByNumber", ["pending", false]);
    if (transactions.length > 0) await this.rig.ask("hardhat_dropTransaction", [this.dice.pick(transactions)]);
  }

  /** From now on the node fails in some cases, before or after a request took effect. */
  private trouble(): void {
    const { node } = this.rig;
    const percent = this.dice.pick([5, 20, 60]);
    const fail = (): void => {
      if (this.dice.chance(percent)) throw new Error("socket hang up");
    };
    node.before = () => fail();
    node.after = (_, answer) => {
      fail();
      return answer;
    };
  }

  private async reopen(): Promise<void> {
    await this.gateway.close();
    this.gateway = await History.open(this.rig, { publisher: this.publisher, file: this.file });
  }
}

describe("A gateway through random histories", () => {
  let rig: Rig;

  before(async () => {
    rig = await Rig.start();
    await rig.ask("evm_setAutomine", [true]);
    await activeLot(
      rig.world,
      LABELS.map((label) => keyOf(label)),
    );
    await rig.ask("evm_setAutomine", [false]);
    await rig.mine();
  });
  after(() => rig.end());

  for (let run = 0; run < RUNS; run++) {
    it(`has each reading in one entry, in order and proved (seed ${SEED + run})`, async function () {
      this.timeout(600_000);
      const history = await History.begin(rig, SEED + run);
      for (let k = 0; k < ACTIONS; k++) await history.act();
      const { readings, entries } = await history.check();
      expect(readings > 0 && entries > 0n).to.equal(true);
    });
  }
});
