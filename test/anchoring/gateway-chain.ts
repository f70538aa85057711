import { expect } from "chai";
import type { Gateway } from "../../toolkit/anchoring/gateway.js";
import type { GatewayEvents } from "../../toolkit/anchoring/gateway-events.js";
import type { GatewayOptions } from "../../toolkit/anchoring/gateway-options.js";
import type { DeviceKey } from "../../toolkit/identity/keys.js";
import { keyOf } from "../identity/fleet.js";
import { GWEI, Rig, rain, refused } from "./gateway-rig.js";

describe("A gateway and its chain", () => {
  let rig: Rig;
  let publisher: DeviceKey;
  let gateway: Gateway;
  let told: [keyof GatewayEvents, ...unknown[]][];
  let sequence: bigint;

  const open = async (options: Partial<GatewayOptions> = {}): Promise<void> => {
    gateway = await rig.open({ publisher, ...options });
    told = [];
    for (const name of ["signed", "refused", "expensive", "anchored", "reorganised", "final", "failed"] as const) {
      gateway.events.on(name, (...values: unknown[]) => told.push([name, ...values]));
    }
  };
  /** One batch of one reading. */
  const batch = (): void => {
    gateway.receive(rig.reading("a", sequence++));
    gateway.seal();
  };
  const names = (): string[] => told.map(([name]) => name);
  const times = (name: string): number => names().filter((one) => one === name).length;
  const bases = (): Promise<{ baseFeePerGas: string; number: string; timestamp: string }> =>
    rig.ask("eth_getBlockByNumber", ["latest", false]);
  const pending = async (): Promise<{ hash: string; nonce: string; maxFeePerGas: string }[]> =>
    (await rig.ask("eth_getBlockByNumber", ["pending", true])).transactions;
  const state = (k: bigint): string => gateway.readingOf(keyOf("a").id, k).state;

  before(async () => {
    rig = await Rig.start();
  });
  after(() => rig.end());

  beforeEach(async () => {
    publisher = await rig.publisher();
    sequence = 0n;
    await open();
    gateway.admit(keyOf("a"));
  });
  afterEach(async () => {
    rig.node.heal();
    await rig.closeAll();
    await rig.ask("hardhat_setNextBlockBaseFeePerGas", ["0x3b9aca00"]);
    await rig.mine();
  });

  it("asks nothing while there is nothing to send", async () => {
    rig.node.asked.length = 0;
    await gateway.tick();
    gateway.receive(rig.reading("a", 0n));
    await gateway.tick();
    expect(rig.node.asked).to.deep.equal([]);
  });

  it("goes from waiting to final, and tells each step", async () => {
    gateway.receive(rig.reading("a", 0n));
    expect(state(0n)).to.equal("waiting");
    gateway.seal();
    expect(state(0n)).to.equal("sealed");
    await gateway.tick();
    await rig.mine();
    await gateway.tick();
    expect(state(0n)).to.equal("anchored");
    await rig.mine();
    await gateway.tick();
    expect(state(0n)).to.equal("anchored");
    await rig.mine();
    await gateway.tick();
    expect(state(0n)).to.equal("final");
    expect(names()).to.deep.equal(["signed", "anchored", "final"]);
    const { size, root } = gateway.log();
    expect(size).to.equal(1n);
    expect(`0x${Buffer.from(root).toString("hex")}`).to.equal(await rig.world.anchor.rootOf(publisher.id));
  });

  it("sends several batches at once, in order, and no more than a node keeps", async () => {
    for (let k = 0; k < 20; k++) batch();
    await gateway.tick();
    expect((await pending()).map(({ nonce }) => Number(nonce))).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7]);
    await rig.settle(gateway);
    expect(await rig.sizeOf(publisher)).to.equal(20n);
  });

  it("works until all is final when it is told to flush", async () => {
    await rig.ask("evm_setAutomine", [true]);
    await open({ confirmations: 0n });
    gateway.admit(keyOf("a"));
    for (let k = 0n; k < 5n; k++) gateway.receive(rig.reading("a", k));
    await gateway.flush(2);
    await rig.ask("evm_setAutomine", [false]);
    expect(gateway.status().batches).to.deep.equal({ sealed: 3n, anchored: 3n, final: 3n });
  });

  it("runs until it is stopped, through failures that it tells", async () => {
    let failures = 3;
    rig.node.before = () => {
      if (failures-- > 0) throw new Error("connection refused");
      return undefined;
    };
    batch();
    const stop = new AbortController();
    gateway.events.on("signed", () => stop.abort());
    await gateway.run({ signal: stop.signal });
    expect(names()).to.deep.equal(["failed", "failed", "failed", "signed"]);
    expect(gateway.status().failure).to.equal(undefined);
  });

  describe("of which the node", () => {
    it("is of another chain: nothing is sent", async () => {
      rig.node.before = ({ method }) => (method === "eth_chainId" ? "0x1" : undefined);
      batch();
      rig.node.asked.length = 0;
      await refused(() => gateway.tick(), "ITC_GATEWAY_CHAIN", "chain 1;");
      expect(rig.node.asked).not.to.contain("eth_sendRawTransaction");
      rig.node.heal();
      await rig.settle(gateway);
    });

    it("has no DataAnchor at the address: nothing is sent", async () => {
      await open({ anchor: rig.world.addresses.ITC });
      gateway.admit(keyOf("a"));
      batch();
      await refused(() => gateway.tick(), "ITC_GATEWAY_NODE");
      await open({ anchor: keyOf("nobody").id });
      gateway.admit(keyOf("a"));
      sequence = 0n;
      batch();
      await refused(() => gateway.tick(), "ITC_GATEWAY_NO_ANCHOR");
    });

    it("hangs, or answers what is no answer: the step fails, and a later one works", async () => {
      await open({ patience: 20 });
      gateway.admit(keyOf("a"));
      batch();
      for (const method of ["eth_chainId", "eth_getBlockByNumber", "eth_call", "eth_getTransactionCount"]) {
        rig.node.before = (asked) => (asked.method === method ? new Promise(() => {}) : undefined);
        await refused(() => gateway.tick(), "ITC_GATEWAY_NODE", "longer than 20 ms");
        for (const answer of [
          null,
          {},
          "0x",
          "0xzz",
          7,
          [],
          "x".repeat(100),
          { number: "0x1", hash: "0x", timestamp: "" },
        ]) {
          rig.node.before = (asked) => (asked.method === method ? (answer ?? false) : undefined);
          let failed = false;
          await gateway.tick().catch(({ code }) => {
            failed = true;
            expect(code).to.be.oneOf(["ITC_GATEWAY_NODE", "ITC_GATEWAY_NO_ANCHOR"]);
          });
          expect(failed, `${method} ${JSON.stringify(answer)}`).to.equal(true);
        }
      }
      rig.node.heal();
      await rig.settle(gateway);
      expect(await rig.sizeOf(publisher)).to.equal(1n);
    });

    it("fails after it took the transaction: it is not sent as another one", async () => {
      rig.node.after = ({ method }, answer) => {
        if (method === "eth_sendRawTransaction") throw new Error("socket hang up");
        return answer;
      };
      batch();
      await gateway.tick();
      await gateway.tick();
      expect(names()).to.deep.equal(["signed", "refused"]);
      rig.node.heal();
      await rig.settle(gateway);
      expect([await rig.sizeOf(publisher), times("signed")]).to.deep.equal([1n, 1]);
    });

    it("lags behind: what is known from before stands, and nothing is doubled", async () => {
      const old = await bases();
      const stale = ({ method, params }: { method: string; params?: unknown }): unknown =>
        method === "eth_getBlockByNumber" && (params as unknown[])[0] === "latest" ? old : undefined;
      batch();
      await rig.settle(gateway);
      batch();
      await gateway.tick();
      await rig.mine();
      await gateway.tick();
      expect([state(0n), state(1n)]).to.deep.equal(["final", "anchored"]);
      rig.node.before = stale;
      for (let k = 0; k < 5; k++) await gateway.tick();
      expect([state(0n), state(1n)]).to.deep.equal(["final", "anchored"]);
      rig.node.heal();
      await rig.settle(gateway);
      expect([await rig.sizeOf(publisher), times("reorganised")]).to.deep.equal([2n, 0]);
    });

    it("lies that the log is shorter, at a height that should know: nothing is doubled, nor paid for", async () => {
      batch();
      batch();
      await rig.settle(gateway);
      batch();
      rig.node.before = ({ method, params }) => {
        const data = method === "eth_call" ? ((params as { data: string }[])[0]?.data ?? "") : "";
        return data.startsWith(rig.world.anchor.interface.getFunction("headOf").selector)
          ? `0x${"0".repeat(128)}`
          : undefined;
      };
      // It is asked first whether the append would go through.
      await refused(() => gateway.tick(), "ITC_GATEWAY_REFUSED", "DataAnchorWrongIndex");
      expect(times("reorganised")).to.equal(2);
      await rig.mine();
      rig.node.heal();
      await rig.settle(gateway);
      expect([await rig.sizeOf(publisher), gateway.log().size]).to.deep.equal([3n, 3n]);
    });

    it("hides events, or tells others: nothing is final on its word", async () => {
      batch();
      await gateway.tick();
      await rig.mine(4);
      rig.node.after = ({ method }, answer) => (method === "eth_getLogs" ? [] : answer);
      await refused(() => gateway.tick(), "ITC_GATEWAY_NODE", "doesn't show its event");
      rig.node.after = ({ method }, answer) => {
        if (method !== "eth_getLogs") return answer;
        // Another time.
        return (answer as { data: string }[]).map((log) => ({ ...log, data: `${log.data.slice(0, -4)}0001` }));
      };
      await refused(() => gateway.tick(), "ITC_GATEWAY_NODE", "don't make the root");
      expect(state(0n)).to.equal("anchored");
      rig.node.heal();
      await rig.settle(gateway);
      expect(state(0n)).to.equal("final");
    });
  });

  describe("when gas gets dear", () => {
    const dear = async (gwei: bigint): Promise<void> => {
      await rig.ask("hardhat_setNextBlockBaseFeePerGas", [`0x${(gwei * GWEI).toString(16)}`]);
      await rig.mine();
    };

    it("waits above the ceiling, says so, and sends when it is over", async () => {
      batch();
      await dear(150n);
      await gateway.tick();
      expect(names()).to.deep.equal(["expensive"]);
      expect(await pending()).to.deep.equal([]);
      await dear(3n);
      await rig.settle(gateway);
      expect(await rig.sizeOf(publisher)).to.equal(1n);
    });

    it("offers an eighth more of both fees after the blocks that it bears with, until the ceiling", async () => {
      await open({ fees: { ceiling: 40n * GWEI, tip: GWEI, patience: 2n } });
      gateway.admit(keyOf("a"));
      await dear(2n);
      batch();
      await gateway.tick();
      const fees: { maxFee: bigint; tip: bigint }[] = [];
      for (let k = 0; k < 12; k++) {
        // Above what was offered, so that no block takes it.
        await dear(50n);
        await gateway.tick();
      }
      for (const [name, value] of told) if (name === "signed") fees.push(value as { maxFee: bigint; tip: bigint });
      expect(fees.length).to.be.greaterThan(1);
      for (const [k, { maxFee, tip }] of fees.entries()) {
        const before = fees[k - 1];
        expect(maxFee <= 40n * GWEI).to.equal(true);
        if (before)
          expect([maxFee * 8n >= before.maxFee * 9n, tip * 8n >= before.tip * 9n]).to.deep.equal([true, true]);
      }
      expect(names()).to.contain("expensive");
      await dear(2n);
      await rig.settle(gateway);
      expect(await rig.sizeOf(publisher)).to.equal(1n);
    });

    it("goes on when it has no ether, once it has some", async () => {
      await rig.ask("hardhat_setBalance", [publisher.id, "0x1"]);
      batch();
      await gateway.tick();
      expect(names()).to.deep.equal(["signed", "refused"]);
      await rig.ask("hardhat_setBalance", [publisher.id, "0xde0b6b3a7640000"]);
      await rig.settle(gateway);
      expect(await rig.sizeOf(publisher)).to.equal(1n);
    });
  });

  describe("when transactions get lost", () => {
    it("fills a gap in the nonces by sending the same again", async () => {
      for (let k = 0; k < 3; k++) batch();
      await gateway.tick();
      const [first] = await pending();
      await rig.ask("hardhat_dropTransaction", [first?.hash]);
      await rig.mine();
      expect(await rig.sizeOf(publisher)).to.equal(0n);
      await rig.settle(gateway);
      expect([await rig.sizeOf(publisher), times("signed")]).to.deep.equal([3n, 3]);
    });

    it("takes other nonces when something else was sent with the key", async () => {
      for (let k = 0; k < 3; k++) batch();
      await gateway.tick();
      for (const { hash } of await pending()) await rig.ask("hardhat_dropTransaction", [hash]);
      await rig.ask("hardhat_setNonce", [publisher.id, "0x5"]);
      await rig.settle(gateway);
      expect([await rig.sizeOf(publisher), times("signed")]).to.deep.equal([3n, 6]);
    });

    it("pays for no append that the contract would refuse", async () => {
      await open({ fees: { ceiling: 100n * GWEI, gas: 30_000n } });
      gateway.admit(keyOf("a"));
      batch();
      for (let k = 0; k < 3; k++) await refused(() => gateway.tick(), "ITC_GATEWAY_REFUSED");
      expect(rig.node.asked.slice(-3)).not.to.contain("eth_sendRawTransaction");
    });
  });

  describe("when the chain is reorganised", () => {
    it("sends again what was lost, under the same index", async () => {
      batch();
      await rig.settle(gateway);
      const snapshot = await rig.ask("evm_snapshot", []);
      batch();
      batch();
      await gateway.tick();
      await rig.mine(2);
      await gateway.tick();
      expect([state(1n), state(2n)]).to.deep.equal(["anchored", "anchored"]);
      await rig.ask("evm_revert", [snapshot]);
      await rig.mine(5);
      await gateway.tick();
      expect([state(0n), state(1n), state(2n)]).to.deep.equal(["final", "sealed", "sealed"]);
      expect(times("reorganised")).to.equal(2);
      await rig.settle(gateway);
      expect([await rig.sizeOf(publisher), gateway.log().size]).to.deep.equal([3n, 3n]);
    });

    it("takes note of the new time when a batch has moved to another block", async () => {
      const snapshot = await rig.ask("evm_snapshot", []);
      batch();
      await gateway.tick();
      await rig.mine();
      await gateway.tick();
      await rig.ask("evm_revert", [snapshot]);
      await rig.ask("evm_increaseTime", [1000]);
      await rig.mine();
      await rig.settle(gateway);
      const { entry } = gateway.evidenceOf(keyOf("a").id, 0n);
      const [, time] = await rig.world.anchor.headOf(publisher.id);
      expect(entry.time).to.equal(time);
      const at = told.filter(([name]) => name === "anchored").map(([, value]) => (value as { time: bigint }).time);
      expect([at.length, at.at(-1)]).to.deep.equal([2, time]);
    });

    it("mends what was final, when it went deeper than that", async () => {
      batch();
      const snapshot = await rig.ask("evm_snapshot", []);
      await rig.settle(gateway);
      expect(state(0n)).to.equal("final");
      await rig.ask("evm_revert", [snapshot]);
      await rig.ask("evm_increaseTime", [1000]);
      await rig.mine(9);
      batch();
      await gateway.tick();
      expect([state(0n), times("reorganised")]).to.deep.equal(["sealed", 1]);
      await rig.settle(gateway);
      expect([await rig.sizeOf(publisher), gateway.log().size]).to.deep.equal([2n, 2n]);
    });

    it("finds by the root that what was final has moved", async () => {
      const snapshot = await rig.ask("evm_snapshot", []);
      batch();
      await gateway.tick();
      await rig.settle(gateway);
      const entry = await entryOf(0n);
      await rig.ask("evm_revert", [snapshot]);
      await rig.ask("evm_increaseTime", [1000]);
      await rig.ask("hardhat_impersonateAccount", [publisher.id]);
      await rig.ask("eth_sendTransaction", [appendOf(0n, entry)]);
      await rig.mine(9);
      batch();
      await refused(() => gateway.tick(), "ITC_GATEWAY_NODE", "don't make the root");
      await rig.settle(gateway);
      const [, time] = await rig.world.anchor.headOf(publisher.id);
      expect(gateway.evidenceOf(keyOf("a").id, 1n).entry.time).to.equal(time);
      expect(`0x${Buffer.from(gateway.log().root).toString("hex")}`).to.equal(
        await rig.world.anchor.rootOf(publisher.id),
      );
    });
  });

  const entryOf = async (index: bigint): Promise<string> => {
    const filter = rig.world.anchor.filters.EntryAppended(publisher.id, index);
    const found = await rig.world.anchor.queryFilter(filter);
    return found[0]?.args.entry ?? `0x${"0".repeat(64)}`;
  };
  const appendOf = (index: bigint, entry: string): object => ({
    from: publisher.id,
    to: rig.world.addresses.DataAnchor,
    data: rig.world.anchor.interface.encodeFunctionData("append", [publisher.id, index, entry]),
    gas: "0x1d4c0",
  });

  describe("when the key is used elsewhere", () => {
    const append = async (index: bigint, entry: string): Promise<void> => {
      await rig.ask("hardhat_impersonateAccount", [publisher.id]);
      await rig.ask("eth_sendTransaction", [appendOf(index, entry)]);
      await rig.mine();
    };

    it("halts at an entry that isn't its own, takes no more readings, and goes on when that is gone", async () => {
      batch();
      await rig.settle(gateway);
      batch();
      await gateway.tick();
      await rig.mine();
      const snapshot = await rig.ask("evm_snapshot", []);
      await append(2n, `0x${"77".repeat(32)}`);
      batch();
      await refused(() => gateway.tick(), "ITC_GATEWAY_FOREIGN_ENTRY", "Entry 2");
      await refused(() => gateway.tick(), "ITC_GATEWAY_FOREIGN_ENTRY");
      await refused(() => gateway.run(), "ITC_GATEWAY_FOREIGN_ENTRY");
      await refused(() => batch(), "ITC_GATEWAY_HALTED");
      expect(gateway.status().halted).to.equal(true);
      // What came before is followed all the same.
      await rig.mine(2);
      await refused(() => gateway.tick(), "ITC_GATEWAY_FOREIGN_ENTRY");
      expect([state(1n), state(2n)]).to.deep.equal(["final", "sealed"]);
      rig.node.before = () => {
        throw new Error("down");
      };
      await refused(() => gateway.tick(), "ITC_GATEWAY_NODE");
      await refused(() => gateway.receive(rig.reading("a", sequence)), "ITC_GATEWAY_HALTED");
      rig.node.heal();
      await rig.ask("evm_revert", [snapshot]);
      await rig.mine(4);
      await rig.settle(gateway);
      expect([gateway.status().halted, await rig.sizeOf(publisher)]).to.deep.equal([false, 3n]);
    });

    it("hands what it couldn't anchor over to another one, which anchors the rest and nothing twice", async () => {
      for (let k = 0; k < 3; k++) batch();
      await rig.settle(gateway);
      await append(3n, `0x${"77".repeat(32)}`);
      batch();
      batch();
      gateway.receive(rig.reading("a", sequence++), new Uint8Array([7]));
      await refused(() => gateway.tick(), "ITC_GATEWAY_FOREIGN_ENTRY");
      const halted = gateway;
      await open({ continueLog: true });
      gateway.admit(keyOf("a"), 3n);
      for (const { reading, payload } of halted.unanchored()) gateway.receive(reading, payload);
      await rig.mine(3);
      await rig.settle(gateway);
      expect(await rig.sizeOf(publisher)).to.equal(5n);
      const { batch: header, entry } = gateway.evidenceOf(keyOf("a").id, 5n);
      expect([header.count, entry.index]).to.deep.equal([3n, 4n]);
      expect(gateway.readingOf(keyOf("a").id, 5n).payload).to.deep.equal(new Uint8Array([7]));
      expect(halted.evidenceOf(keyOf("a").id, 2n).entry.index).to.equal(2n);
    });

    it("halts at entries beyond those that it has", async () => {
      batch();
      await rig.settle(gateway);
      await append(1n, `0x${"77".repeat(32)}`);
      await append(2n, `0x${"78".repeat(32)}`);
      batch();
      await refused(() => gateway.tick(), "ITC_GATEWAY_FOREIGN_ENTRY");
    });

    it("doesn't go on with a log that has entries, unless it is told to", async () => {
      await append(0n, `0x${"77".repeat(32)}`);
      batch();
      await refused(() => gateway.tick(), "ITC_GATEWAY_LOG_EXISTS", "has 1 entries");
      await open({ continueLog: true });
      gateway.admit(keyOf("a"));
      sequence = 0n;
      batch();
      await refused(() => gateway.tick(), "ITC_GATEWAY_LOG_MOVES");
      await rig.mine(3);
      await rig.settle(gateway);
      const { entry } = gateway.evidenceOf(keyOf("a").id, 0n);
      expect([entry.index, entry.size, gateway.status().base]).to.deep.equal([1n, 2n, 1n]);
      expect(`0x${Buffer.from(gateway.log().root).toString("hex")}`).to.equal(
        await rig.world.anchor.rootOf(publisher.id),
      );
    });

    it("doesn't begin while a transaction of the key is pending", async () => {
      await rig.ask("hardhat_impersonateAccount", [publisher.id]);
      await rig.ask("eth_sendTransaction", [{ from: publisher.id, to: publisher.id }]);
      batch();
      await refused(() => gateway.tick(), "ITC_GATEWAY_LOG_MOVES");
      await rig.mine();
      await rig.settle(gateway);
    });

    it("waits when the log is shorter than it was at first", async () => {
      const snapshot = await rig.ask("evm_snapshot", []);
      await append(0n, `0x${"77".repeat(32)}`);
      await rig.mine(3);
      await open({ continueLog: true });
      gateway.admit(keyOf("a"));
      batch();
      await gateway.tick();
      await rig.ask("evm_revert", [snapshot]);
      await rig.mine();
      await refused(() => gateway.tick(), "ITC_GATEWAY_LOG_SHORT");
    });
  });

  it("keeps schemas apart, each batch one entry", async () => {
    gateway.receive(rig.reading("a", 0n));
    gateway.receive(rig.reading("a", 1n, { schema: rain }));
    gateway.receive(rig.reading("a", 2n));
    await rig.settle(gateway);
    const at = [0n, 1n, 2n].map((k) => gateway.evidenceOf(keyOf("a").id, k).entry.index);
    expect(at).to.deep.equal([0n, 1n, 0n]);
  });
});
