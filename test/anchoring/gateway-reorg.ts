import { expect } from "chai";
import { keyOf } from "../identity/fleet.js";
import { onRig, type Rig, refused } from "./gateway-rig.js";
import { Stage } from "./gateway-stage.js";

describe("A gateway whose chain changes", () => {
  let rig: Rig;
  let stage: Stage;

  onRig(
    (one) => {
      rig = one;
    },
    async () => {
      stage = await Stage.start(rig);
    },
    () => stage.end(),
  );

  describe("when the chain is reorganised", () => {
    it("sends again what was lost, under the same index", async () => {
      stage.batch();
      await rig.settle(stage.gateway);
      const snapshot = await rig.ask("evm_snapshot", []);
      stage.batch();
      stage.batch();
      await stage.gateway.tick();
      await rig.mine(2);
      await stage.gateway.tick();
      expect([stage.state(1n), stage.state(2n)]).to.deep.equal(["anchored", "anchored"]);
      await rig.ask("evm_revert", [snapshot]);
      await rig.mine(5);
      await stage.gateway.tick();
      expect([stage.state(0n), stage.state(1n), stage.state(2n)]).to.deep.equal(["final", "sealed", "sealed"]);
      expect(stage.times("reorganised")).to.equal(2);
      await rig.settle(stage.gateway);
      expect([await rig.sizeOf(stage.publisher), stage.gateway.log().size]).to.deep.equal([3n, 3n]);
    });

    it("takes note of the new time when a batch has moved to another block", async () => {
      const snapshot = await rig.ask("evm_snapshot", []);
      stage.batch();
      await stage.gateway.tick();
      await rig.mine();
      await stage.gateway.tick();
      await rig.ask("evm_revert", [snapshot]);
      await rig.ask("evm_increaseTime", [1000]);
      await rig.mine();
      await rig.settle(stage.gateway);
      const { entry } = stage.gateway.evidenceOf(keyOf("a").id, 0n);
      const [, time] = await rig.world.anchor.headOf(stage.publisher.id);
      expect(entry.time).to.equal(time);
      const at = stage.told
        .filter(([name]) => name === "anchored")
        .map(([, value]) => (value as { time: bigint }).time);
      expect([at.length, at.at(-1)]).to.deep.equal([2, time]);
    });

    it("mends what was final, when it went deeper than that", async () => {
      stage.batch();
      const snapshot = await rig.ask("evm_snapshot", []);
      await rig.settle(stage.gateway);
      expect(stage.state(0n)).to.equal("final");
      await rig.ask("evm_revert", [snapshot]);
      await rig.ask("evm_increaseTime", [1000]);
      await rig.mine(9);
      stage.batch();
      await stage.gateway.tick();
      expect([stage.state(0n), stage.times("reorganised")]).to.deep.equal(["sealed", 1]);
      await rig.settle(stage.gateway);
      expect([await rig.sizeOf(stage.publisher), stage.gateway.log().size]).to.deep.equal([2n, 2n]);
    });

    it("finds by the root that what was final has moved", async () => {
      const snapshot = await rig.ask("evm_snapshot", []);
      stage.batch();
      await stage.gateway.tick();
      await rig.settle(stage.gateway);
      const entry = await entryOf(0n);
      await rig.ask("evm_revert", [snapshot]);
      await rig.ask("evm_increaseTime", [1000]);
      await rig.ask("hardhat_impersonateAccount", [stage.publisher.id]);
      await rig.ask("eth_sendTransaction", [appendOf(0n, entry)]);
      await rig.mine(9);
      stage.batch();
      await refused(() => stage.gateway.tick(), "ITC_GATEWAY_NODE", "don't make the root");
      await rig.settle(stage.gateway);
      const [, time] = await rig.world.anchor.headOf(stage.publisher.id);
      expect(stage.gateway.evidenceOf(keyOf("a").id, 1n).entry.time).to.equal(time);
      expect(`0x${Buffer.from(stage.gateway.log().root).toString("hex")}`).to.equal(
        await rig.world.anchor.rootOf(stage.publisher.id),
      );
    });
  });

  const entryOf = async (index: bigint): Promise<string> => {
    const filter = rig.world.anchor.filters.EntryAppended(stage.publisher.id, index);
    const found = await rig.world.anchor.queryFilter(filter);
    return found[0]?.args.entry ?? `0x${"0".repeat(64)}`;
  };
  const appendOf = (index: bigint, entry: string): object => ({
    from: stage.publisher.id,
    to: rig.world.addresses.DataAnchor,
    data: rig.world.anchor.interface.encodeFunctionData("append", [stage.publisher.id, index, entry]),
    gas: "0x1d4c0",
  });

  describe("when the key is used elsewhere", () => {
    const append = async (index: bigint, entry: string): Promise<void> => {
      await rig.ask("hardhat_impersonateAccount", [stage.publisher.id]);
      await rig.ask("eth_sendTransaction", [appendOf(index, entry)]);
      await rig.mine();
    };

    it("halts at an entry that isn't its own, takes no more readings, and goes on when that is gone", async () => {
      stage.batch();
      await rig.settle(stage.gateway);
      stage.batch();
      await stage.gateway.tick();
      await rig.mine();
      const snapshot = await rig.ask("evm_snapshot", []);
      await append(2n, `0x${"77".repeat(32)}`);
      stage.batch();
      await refused(() => stage.gateway.tick(), "ITC_GATEWAY_FOREIGN_ENTRY", "Entry 2");
      await refused(() => stage.gateway.tick(), "ITC_GATEWAY_FOREIGN_ENTRY");
      await refused(() => stage.gateway.run(), "ITC_GATEWAY_FOREIGN_ENTRY");
      await refused(() => stage.batch(), "ITC_GATEWAY_HALTED");
      expect(stage.gateway.status().halted).to.equal(true);
      // What came before is followed all the same.
      await rig.mine(2);
      await refused(() => stage.gateway.tick(), "ITC_GATEWAY_FOREIGN_ENTRY");
      expect([stage.state(1n), stage.state(2n)]).to.deep.equal(["final", "sealed"]);
      rig.node.before = () => {
        throw new Error("down");
      };
      await refused(() => stage.gateway.tick(), "ITC_GATEWAY_NODE");
      await refused(() => stage.gateway.receive(rig.reading("a", stage.sequence)), "ITC_GATEWAY_HALTED");
      rig.node.heal();
      await rig.ask("evm_revert", [snapshot]);
      await rig.mine(4);
      await rig.settle(stage.gateway);
      expect([stage.gateway.status().halted, await rig.sizeOf(stage.publisher)]).to.deep.equal([false, 3n]);
    });

    it("hands what it couldn't anchor over to another one, which anchors the rest and nothing twice", async () => {
      for (let k = 0; k < 3; k++) stage.batch();
      await rig.settle(stage.gateway);
      await append(3n, `0x${"77".repeat(32)}`);
      stage.batch();
      stage.batch();
      stage.gateway.receive(rig.reading("a", stage.sequence++), new Uint8Array([7]));
      await refused(() => stage.gateway.tick(), "ITC_GATEWAY_FOREIGN_ENTRY");
      const halted = stage.gateway;
      await stage.open({ continueLog: true });
      stage.gateway.admit(keyOf("a"), 3n);
      for (const { reading, payload } of halted.unanchored()) stage.gateway.receive(reading, payload);
      await rig.mine(3);
      await rig.settle(stage.gateway);
      expect(await rig.sizeOf(stage.publisher)).to.equal(5n);
      const { batch: header, entry } = stage.gateway.evidenceOf(keyOf("a").id, 5n);
      expect([header.count, entry.index]).to.deep.equal([3n, 4n]);
      expect(stage.gateway.readingOf(keyOf("a").id, 5n).payload).to.deep.equal(new Uint8Array([7]));
      expect(halted.evidenceOf(keyOf("a").id, 2n).entry.index).to.equal(2n);
    });

    it("halts at entries beyond those that it has", async () => {
      stage.batch();
      await rig.settle(stage.gateway);
      await append(1n, `0x${"77".repeat(32)}`);
      await append(2n, `0x${"78".repeat(32)}`);
      stage.batch();
      await refused(() => stage.gateway.tick(), "ITC_GATEWAY_FOREIGN_ENTRY");
    });

    it("doesn't go on with a log that has entries, unless it is stage.told to", async () => {
      await append(0n, `0x${"77".repeat(32)}`);
      stage.batch();
      await refused(() => stage.gateway.tick(), "ITC_GATEWAY_LOG_EXISTS", "has 1 entries");
      await stage.open({ continueLog: true });
      stage.batch();
      await refused(() => stage.gateway.tick(), "ITC_GATEWAY_LOG_MOVES");
      await rig.mine(3);
      rig.node.after = ({ method }, answer) => (method === "eth_getLogs" ? [] : answer);
      await refused(() => stage.gateway.tick(), "ITC_GATEWAY_NODE", "ITC_LOG_MISMATCH");
      rig.node.heal();
      await rig.settle(stage.gateway);
      const { entry } = stage.gateway.evidenceOf(keyOf("a").id, 0n);
      expect([entry.index, stage.gateway.status().base]).to.deep.equal([1n, 1n]);
      expect(`0x${Buffer.from(stage.gateway.log().root).toString("hex")}`).to.equal(
        await rig.world.anchor.rootOf(stage.publisher.id),
      );
    });

    it("doesn't begin while a transaction of the key is pending", async () => {
      await rig.ask("hardhat_impersonateAccount", [stage.publisher.id]);
      await rig.ask("eth_sendTransaction", [{ from: stage.publisher.id, to: stage.publisher.id }]);
      stage.batch();
      await refused(() => stage.gateway.tick(), "ITC_GATEWAY_LOG_MOVES");
      await rig.mine();
      await rig.settle(stage.gateway);
    });

    it("waits when the log is shorter than it was at first", async () => {
      const snapshot = await rig.ask("evm_snapshot", []);
      await append(0n, `0x${"77".repeat(32)}`);
      await rig.mine(3);
      await stage.open({ continueLog: true });
      stage.batch();
      await stage.gateway.tick();
      await rig.ask("evm_revert", [snapshot]);
      await rig.mine();
      await refused(() => stage.gateway.tick(), "ITC_GATEWAY_LOG_SHORT");
    });
  });
});
