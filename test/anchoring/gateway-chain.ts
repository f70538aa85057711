import { expect } from "chai";
import { keyOf } from "../identity/fleet.js";
import { GWEI, onRig, type Rig, rain, refused } from "./gateway-rig.js";
import { Stage } from "./gateway-stage.js";

describe("A gateway and its chain", () => {
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

  it("asks nothing while there is nothing to send", async () => {
    rig.node.asked.length = 0;
    await stage.gateway.tick();
    stage.gateway.receive(rig.reading("a", 0n));
    await stage.gateway.tick();
    expect(rig.node.asked).to.deep.equal([]);
  });

  it("goes from waiting to final, and tells each step", async () => {
    stage.gateway.receive(rig.reading("a", 0n));
    expect(stage.state(0n)).to.equal("waiting");
    stage.gateway.seal();
    expect(stage.state(0n)).to.equal("sealed");
    await stage.gateway.tick();
    await rig.mine();
    await stage.gateway.tick();
    expect(stage.state(0n)).to.equal("anchored");
    await rig.mine();
    await stage.gateway.tick();
    expect(stage.state(0n)).to.equal("anchored");
    await rig.mine();
    await stage.gateway.tick();
    expect(stage.state(0n)).to.equal("final");
    expect(stage.names()).to.deep.equal(["signed", "anchored", "final"]);
    const { size, root } = stage.gateway.log();
    expect(size).to.equal(1n);
    expect(`0x${Buffer.from(root).toString("hex")}`).to.equal(await rig.world.anchor.rootOf(stage.publisher.id));
  });

  it("sends several batches at once, in order, and no more than a node keeps", async () => {
    for (let k = 0; k < 20; k++) stage.batch();
    await stage.gateway.tick();
    expect((await stage.pending()).map(({ nonce }) => Number(nonce))).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7]);
    await rig.settle(stage.gateway);
    expect(await rig.sizeOf(stage.publisher)).to.equal(20n);
  });

  it("works until all is final when it is stage.told to flush", async () => {
    await rig.ask("evm_setAutomine", [true]);
    await stage.open({ confirmations: 0n });
    for (let k = 0n; k < 5n; k++) stage.gateway.receive(rig.reading("a", k));
    await stage.gateway.flush(2);
    await rig.ask("evm_setAutomine", [false]);
    expect(stage.gateway.status().batches).to.deep.equal({ sealed: 3n, anchored: 3n, final: 3n });
  });

  it("runs until it is stopped, through failures that it tells", async () => {
    let failures = 3;
    rig.node.before = () => {
      if (failures-- > 0) throw new Error("connection refused");
      return undefined;
    };
    stage.batch();
    const stop = new AbortController();
    stage.gateway.events.on("signed", () => stop.abort());
    await stage.gateway.run({ signal: stop.signal });
    expect(stage.names()).to.deep.equal(["failed", "failed", "failed", "signed"]);
    expect(stage.gateway.status().failure).to.equal(undefined);
  });

  describe("of which the node", () => {
    it("is of another chain: nothing is sent", async () => {
      rig.node.before = ({ method }) => (method === "eth_chainId" ? "0x1" : undefined);
      stage.batch();
      rig.node.asked.length = 0;
      await refused(() => stage.gateway.tick(), "ITC_GATEWAY_CHAIN", "chain 1;");
      expect(rig.node.asked).not.to.contain("eth_sendRawTransaction");
      rig.node.heal();
      await rig.settle(stage.gateway);
    });

    it("has no DataAnchor at the address: nothing is sent", async () => {
      await stage.open({ anchor: rig.world.addresses.ITC });
      stage.batch();
      await refused(() => stage.gateway.tick(), "ITC_GATEWAY_NODE");
      await stage.open({ anchor: keyOf("nobody").id });
      stage.batch();
      await refused(() => stage.gateway.tick(), "ITC_GATEWAY_NO_ANCHOR");
    });

    it("hangs, or answers what is no answer: the step fails, and a later one works", async () => {
      await stage.open({ patience: 20 });
      stage.batch();
      for (const method of ["eth_chainId", "eth_getBlockByNumber", "eth_call", "eth_getTransactionCount"]) {
        rig.node.before = (asked) => (asked.method === method ? new Promise(() => {}) : undefined);
        await refused(() => stage.gateway.tick(), "ITC_GATEWAY_NODE", "longer than 20 ms");
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
          await stage.gateway.tick().catch(({ code }) => {
            failed = true;
            expect(code).to.be.oneOf(["ITC_GATEWAY_NODE", "ITC_GATEWAY_NO_ANCHOR"]);
          });
          expect(failed, `${method} ${JSON.stringify(answer)}`).to.equal(true);
        }
      }
      rig.node.heal();
      await rig.settle(stage.gateway);
      expect(await rig.sizeOf(stage.publisher)).to.equal(1n);
    });

    it("fails after it took the transaction: it is not sent as another one", async () => {
      rig.node.after = ({ method }, answer) => {
        if (method === "eth_sendRawTransaction") throw new Error("socket hang up");
        return answer;
      };
      stage.batch();
      await stage.gateway.tick();
      await stage.gateway.tick();
      expect(stage.names()).to.deep.equal(["signed", "refused"]);
      rig.node.heal();
      await rig.settle(stage.gateway);
      expect([await rig.sizeOf(stage.publisher), stage.times("signed")]).to.deep.equal([1n, 1]);
    });

    it("lags behind: what is known from before stands, and nothing is doubled", async () => {
      const old = await rig.ask("eth_getBlockByNumber", ["latest", false]);
      const stale = ({ method, params }: { method: string; params?: unknown }): unknown =>
        method === "eth_getBlockByNumber" && (params as unknown[])[0] === "latest" ? old : undefined;
      stage.batch();
      await rig.settle(stage.gateway);
      stage.batch();
      await stage.gateway.tick();
      await rig.mine();
      await stage.gateway.tick();
      expect([stage.state(0n), stage.state(1n)]).to.deep.equal(["final", "anchored"]);
      rig.node.before = stale;
      for (let k = 0; k < 5; k++) await stage.gateway.tick();
      expect([stage.state(0n), stage.state(1n)]).to.deep.equal(["final", "anchored"]);
      rig.node.heal();
      await rig.settle(stage.gateway);
      expect([await rig.sizeOf(stage.publisher), stage.times("reorganised")]).to.deep.equal([2n, 0]);
    });

    it("lies that the log is shorter, at a height that should know: nothing is doubled, nor paid for", async () => {
      stage.batch();
      stage.batch();
      await rig.settle(stage.gateway);
      stage.batch();
      rig.node.before = ({ method, params }) => {
        const data = method === "eth_call" ? ((params as { data: string }[])[0]?.data ?? "") : "";
        return data.startsWith(rig.world.anchor.interface.getFunction("headOf").selector)
          ? `0x${"0".repeat(128)}`
          : undefined;
      };
      // It is asked first whether the append would go through.
      await refused(() => stage.gateway.tick(), "ITC_GATEWAY_REFUSED", "DataAnchorWrongIndex");
      expect(stage.times("reorganised")).to.equal(2);
      await rig.mine();
      rig.node.heal();
      await rig.settle(stage.gateway);
      expect([await rig.sizeOf(stage.publisher), stage.gateway.log().size]).to.deep.equal([3n, 3n]);
    });

    it("hides events, or tells others: nothing is final on its word", async () => {
      stage.batch();
      await stage.gateway.tick();
      await rig.mine(4);
      rig.node.after = ({ method }, answer) => (method === "eth_getLogs" ? [] : answer);
      await refused(() => stage.gateway.tick(), "ITC_GATEWAY_NODE", "doesn't show its event");
      rig.node.after = ({ method }, answer) => {
        if (method !== "eth_getLogs") return answer;
        // Another time.
        return (answer as { data: string }[]).map((log) => ({ ...log, data: `${log.data.slice(0, -4)}0001` }));
      };
      await refused(() => stage.gateway.tick(), "ITC_GATEWAY_NODE", "don't make the root");
      expect(stage.state(0n)).to.equal("anchored");
      rig.node.heal();
      await rig.settle(stage.gateway);
      expect(stage.state(0n)).to.equal("final");
    });
  });

  describe("when gas gets dear", () => {
    const dear = async (gwei: bigint): Promise<void> => {
      await rig.ask("hardhat_setNextBlockBaseFeePerGas", [`0x${(gwei * GWEI).toString(16)}`]);
      await rig.mine();
    };

    it("waits above the ceiling, says so, and sends when it is over", async () => {
      stage.batch();
      await dear(150n);
      await stage.gateway.tick();
      expect(stage.names()).to.deep.equal(["expensive"]);
      expect(await stage.pending()).to.deep.equal([]);
      await dear(3n);
      await rig.settle(stage.gateway);
      expect(await rig.sizeOf(stage.publisher)).to.equal(1n);
    });

    it("offers an eighth more of both fees after the blocks that it bears with, until the ceiling", async () => {
      await stage.open({ fees: { ceiling: 40n * GWEI, tip: GWEI, patience: 2n } });
      await dear(2n);
      stage.batch();
      await stage.gateway.tick();
      const fees: { maxFee: bigint; tip: bigint }[] = [];
      for (let k = 0; k < 12; k++) {
        // Above what was offered, so that no block takes it.
        await dear(50n);
        await stage.gateway.tick();
      }
      for (const [name, value] of stage.told)
        if (name === "signed") fees.push(value as { maxFee: bigint; tip: bigint });
      expect(fees.length).to.be.greaterThan(1);
      for (const [k, { maxFee, tip }] of fees.entries()) {
        const before = fees[k - 1];
        expect(maxFee <= 40n * GWEI).to.equal(true);
        if (before)
          expect([maxFee * 8n >= before.maxFee * 9n, tip * 8n >= before.tip * 9n]).to.deep.equal([true, true]);
      }
      expect(stage.names()).to.contain("expensive");
      await dear(2n);
      await rig.settle(stage.gateway);
      expect(await rig.sizeOf(stage.publisher)).to.equal(1n);
    });

    it("goes on when it has no ether, once it has some", async () => {
      await rig.ask("hardhat_setBalance", [stage.publisher.id, "0x1"]);
      stage.batch();
      await stage.gateway.tick();
      expect(stage.names()).to.deep.equal(["signed", "refused"]);
      await rig.ask("hardhat_setBalance", [stage.publisher.id, "0xde0b6b3a7640000"]);
      await rig.settle(stage.gateway);
      expect(await rig.sizeOf(stage.publisher)).to.equal(1n);
    });
  });

  describe("when transactions get lost", () => {
    it("fills a gap in the nonces by sending the same again", async () => {
      for (let k = 0; k < 3; k++) stage.batch();
      await stage.gateway.tick();
      const [first] = await stage.pending();
      await rig.ask("hardhat_dropTransaction", [first?.hash]);
      await rig.mine();
      expect(await rig.sizeOf(stage.publisher)).to.equal(0n);
      await rig.settle(stage.gateway);
      expect([await rig.sizeOf(stage.publisher), stage.times("signed")]).to.deep.equal([3n, 3]);
    });

    it("takes other nonces when something else was sent with the key", async () => {
      for (let k = 0; k < 3; k++) stage.batch();
      await stage.gateway.tick();
      for (const { hash } of await stage.pending()) await rig.ask("hardhat_dropTransaction", [hash]);
      await rig.ask("hardhat_setNonce", [stage.publisher.id, "0x5"]);
      await rig.settle(stage.gateway);
      expect([await rig.sizeOf(stage.publisher), stage.times("signed")]).to.deep.equal([3n, 6]);
    });

    it("pays for no append that the contract would refuse", async () => {
      await stage.open({ fees: { ceiling: 100n * GWEI, gas: 30_000n } });
      stage.batch();
      for (let k = 0; k < 3; k++) await refused(() => stage.gateway.tick(), "ITC_GATEWAY_REFUSED");
      expect(rig.node.asked.slice(-3)).not.to.contain("eth_sendRawTransaction");
    });
  });

  it("keeps schemas apart, each batch one entry", async () => {
    stage.gateway.receive(rig.reading("a", 0n));
    stage.gateway.receive(rig.reading("a", 1n, { schema: rain }));
    stage.gateway.receive(rig.reading("a", 2n));
    await rig.settle(stage.gateway);
    const at = [0n, 1n, 2n].map((k) => stage.gateway.evidenceOf(keyOf("a").id, k).entry.index);
    expect(at).to.deep.equal([0n, 1n, 0n]);
  });
});
