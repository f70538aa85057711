import { expect } from "chai";
import type { Provider } from "ethers";
import { attachState, type StateProvider } from "../../toolkit/anchoring/attach.js";
import { type Evidence, EvidenceError, writeEvidence } from "../../toolkit/anchoring/evidence.js";
import { readHeader } from "../../toolkit/anchoring/headers.js";
import { type Verdict, verifyEvidence } from "../../toolkit/anchoring/verify.js";
import { verifyLight } from "../../toolkit/anchoring/verify-light.js";
import { toHex } from "../../toolkit/internal/bytes.js";
import { activeLot, keyOf } from "../identity/fleet.js";
import { type Deployed, deployed } from "../support.js";
import { anchorReading } from "./bundles.js";

const key = keyOf("lying rpc");

type Lie = (method: string, params: unknown[], truth: () => Promise<unknown>) => Promise<unknown>;

describe("A node that lies", () => {
  let world: Deployed;
  let bare: Evidence;
  let evidence: Evidence;

  /** The chain's own node, with its answers changed on their way, as ethers sees it over HTTP. */
  async function lying(lie: Lie): Promise<StateProvider & { destroy(): void }> {
    const { JsonRpcApiProvider } = await import("ethers");
    class Node extends JsonRpcApiProvider {
      override async _send(payload: Parameters<InstanceType<typeof JsonRpcApiProvider>["_send"]>[0]) {
        const calls = Array.isArray(payload) ? payload : [payload];
        return Promise.all(
          calls.map(async ({ id, method, params }) => {
            const list = Array.isArray(params) ? params : [];
            try {
              return { id, result: await lie(method, list, () => world.ethers.provider.send(method, list)) };
            } catch (error) {
              return { id, error: { code: -32000, message: String(error) } };
            }
          }),
        );
      }
    }
    const node = new Node(undefined, { batchMaxCount: 1, cacheTimeout: -1 });
    node._start();
    return node;
  }

  /** What comes of it: the findings that fail, or the code of the error. */
  async function outcome(of: Promise<Verdict | Evidence>): Promise<string> {
    try {
      const result = await of;
      if (!("findings" in result)) return "attached";
      const failing = result.findings.filter(({ holds }) => !holds).map(({ what }) => what);
      return failing.join() || "holds";
    } catch (error) {
      if (error instanceof EvidenceError) return error.code;
      throw error;
    }
  }

  async function with_(lie: Lie, use: (node: StateProvider) => Promise<Verdict | Evidence>): Promise<string> {
    const node = await lying(lie);
    try {
      return await outcome(use(node));
    } finally {
      node.destroy();
    }
  }
  const verified = (lie: Lie, of: Evidence = evidence) =>
    with_(lie, (node: Provider) => verifyEvidence(writeEvidence(of), node));
  const attached = (lie: Lie) => with_(lie, (node) => attachState(bare, node));
  /** Changes the answers to one method. */
  const on =
    (method: string, change: (truth: never) => unknown): Lie =>
    async (asked, _params, truth) =>
      asked === method ? change((await truth()) as never) : truth();

  before(async () => {
    world = await deployed();
    await activeLot(world, [key]);
    for (let k = 0; k < 3; k++) bare = await anchorReading(world, key);
    evidence = await attachState(bare, world.ethers.provider);
  });

  it("is believed while it tells the truth", async () => {
    const honest: Lie = (_method, _params, truth) => truth();
    expect(await verified(honest)).to.equal("holds");
    expect(await attached(honest)).to.equal("attached");
  });

  it("is found out on another chain", async () => {
    expect(await verified(on("eth_chainId", () => "0x1"))).to.equal("chain");
  });

  it("is found out when it is behind the entry", async () => {
    const old = (block: { timestamp: string }) => ({ ...block, timestamp: "0x5" });
    expect(await verified(on("eth_getBlockByNumber", old))).to.equal("node");
  });

  it("is found out when it has another block in the place of the bundle's", async () => {
    const fork = (block: object) => ({ ...block, hash: `0x${"77".repeat(32)}` });
    expect(await verified(on("eth_getBlockByNumber", fork))).to.equal("header");
  });

  it("can't have wrong proofs attached", async () => {
    type Proof = { accountProof: string[]; storageProof: { value: string; proof: string[] }[] };
    const storage = (of: Proof, proof: string[]) => ({ ...of, storageProof: [{ ...of.storageProof[0], proof }] });
    const lies: ((truth: Proof) => unknown)[] = [
      (of) => ({ ...of, accountProof: [] }),
      (of) => ({ ...of, accountProof: of.accountProof.map((node) => node.replace(/.$/, "0")) }),
      (of) => storage(of, []),
      (of) => storage(of, (of.storageProof[0]?.proof ?? []).slice(0, -1)),
      (of) => storage(of, ["0x"]),
      (of) => storage(of, ["nodes"]),
      (of) => ({ ...of, storageProof: [] }),
      () => null,
      () => "0x",
      () => [],
      (of) => ({ ...of, accountProof: Array.from({ length: 1_000 }, () => "0x00") }),
      (of) => ({ ...of, accountProof: [`0x${"c1".repeat(900)}`] }),
    ];
    for (const lie of lies) {
      expect(await attached(on("eth_getProof", lie)), String(lie)).to.match(/^ITC_EVIDENCE_(PROOF|NODE)$/);
    }
  });

  it("can't have a header attached that isn't its block's", async () => {
    for (const lie of [
      (of: object) => ({ ...of, stateRoot: `0x${"11".repeat(32)}` }),
      (of: object) => ({ ...of, timestamp: "0x1" }),
      () => ({}),
    ]) {
      expect(await attached(on("eth_getBlockByNumber", lie))).to.equal("ITC_EVIDENCE_HEADER");
    }
    const latest = await world.ethers.provider.send("eth_getBlockByNumber", ["latest", false]);
    await world.networkHelpers.mine();
    const other = await with_(
      on("eth_getBlockByNumber", () => latest),
      (node) => attachState(bare, node, 1n),
    );
    expect(other).to.equal("ITC_EVIDENCE_PROOF");
  });

  it("can't make a bundle hold by another block than the trusted one", async () => {
    const json = writeEvidence(evidence);
    const { parentHash } = readHeader(evidence.state?.header ?? new Uint8Array()) ?? expect.fail("no header");
    expect((await verifyLight(json, { trusted: toHex(parentHash) })).holds).to.equal(false);
  });

  it("is found out, or named as the one that failed, for any nonsense in any answer", async () => {
    const nonsense = [
      null,
      "0x",
      "0x1",
      `0x${"ff".repeat(32)}`,
      `0x${"ff".repeat(640)}`,
      [],
      {},
      7,
      "latest",
      [null],
      [{}],
    ];
    for (const method of ["eth_call", "eth_getLogs", "eth_blockNumber", "eth_getBlockByNumber"]) {
      for (const answer of nonsense) {
        const came = await verified(on(method, () => answer));
        // The log's and the device's events are asked for only where the chain has moved on.
        const unasked = method === "eth_getLogs" || method === "eth_blockNumber";
        if (!unasked) expect(came, `${method} ${JSON.stringify(answer)}`).not.to.equal("holds");
        expect(await attached(on(method, () => answer))).to.match(/^(attached|ITC_EVIDENCE_\w+)$/);
      }
      const failing: Lie = (asked, _params, truth) => (asked === method ? Promise.reject(new Error("down")) : truth());
      expect(await verified(failing), method).to.match(/^(holds|device,log|ITC_EVIDENCE_NODE)$/);
    }
  });

  it("is found out for any nonsense about a log that has grown", async () => {
    for (let k = 0; k < 6; k++) await anchorReading(world, key);
    const { state: _, ...old } = evidence;
    expect(await verified((_method, _params, truth) => truth(), old)).to.equal("holds");
    for (const answer of [null, [], {}, "0x", 7, [null], [{}], [{ topics: [], data: "0x" }]]) {
      const came = await verified(
        on("eth_getLogs", () => answer),
        old,
      );
      expect(came, JSON.stringify(answer)).to.match(/^(log,time|log|ITC_EVIDENCE_NODE)$/);
    }
    expect(
      await verified(
        on("eth_getLogs", (events: unknown[]) => events.slice(1)),
        old,
      ),
    ).to.equal("log");
  });
});
