import { expect } from "chai";
import { BrowserProvider, type Provider } from "ethers";
import { LogError, readLog } from "../../toolkit/anchoring/log-reader.js";
import { toHex } from "../../toolkit/internal/bytes.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { type Deployed, deployed } from "../support.js";
import { entryOf, grow } from "./publishers.js";

/** An event as a node answers. */
interface RawLog {
  readonly data: string;
  readonly [field: string]: unknown;
}

type Filter = { readonly fromBlock: string; readonly toBlock: string };

/** The chain's own node, but for what it says of events. */
function withLogs({ provider }: Deployed, change: (logs: RawLog[], filter: Filter) => RawLog[]): BrowserProvider {
  const request = async ({ method, params }: { method: string; params?: unknown[] | Record<string, unknown> }) => {
    const answer = await provider.request({ method, params: (params ?? []) as unknown[] });
    return method === "eth_getLogs" ? change(answer as RawLog[], (params as Filter[])[0] as Filter) : answer;
  };
  return new BrowserProvider({ request }, undefined, { cacheTimeout: -1 });
}

describe("Reading a log back", () => {
  let world: Deployed;
  let entries: string[];
  const publisher = () => world.accounts[0] ?? world.operator;
  const read = (provider: Provider) => readLog(provider, world.addresses.DataAnchor, publisher().address);

  before(async () => {
    world = await deployed();
    entries = (await grow(world, publisher(), 9)).entries.map(toHex);
    await world.networkHelpers.mine(1_000);
  });

  it("asks a node that answers for some blocks at a time for fewer", async () => {
    const widths: number[] = [];
    const narrow = withLogs(world, (logs, { fromBlock, toBlock }) => {
      const width = Number(toBlock) - Number(fromBlock) + 1;
      if (width > 100) throw new Error("query returned more than 100 blocks");
      widths.push(width);
      return logs;
    });
    const found = await read(narrow);
    expect(found.entries.map(({ entry }) => toHex(entry))).to.deep.equal(entries);
    expect(widths.length).to.be.greaterThan(9);
  });

  it("gives the log as of an earlier block", async () => {
    const [third] = await world.anchor.queryFilter(world.anchor.filters.EntryAppended(publisher().address, 2));
    const toBlock = third?.blockNumber ?? 0;
    const { entries: early, range } = await readLog(
      world.ethers.provider,
      world.addresses.DataAnchor,
      publisher().address,
      { fromBlock: 1, toBlock },
    );
    expect(early.map(({ entry }) => toHex(entry))).to.deep.equal(entries.slice(0, 3));
    expect(toHex(range.checkpoint().root)).to.equal(
      await world.anchor.rootOf(publisher().address, { blockTag: toBlock }),
    );
  });

  it("finds out a node that hides, invents, changes or reorders events", async () => {
    const lies: ((logs: RawLog[]) => RawLog[])[] = [
      () => [],
      (logs) => logs.slice(1),
      (logs) => logs.slice(0, -1),
      (logs) => [...logs, ...logs.slice(-1)],
      (logs) => [...logs].reverse(),
      (logs) => logs.map((log, place) => (place === 4 ? { ...log, data: secretOf(1, "x") + log.data.slice(66) } : log)),
    ];
    for (const lie of lies) {
      const failure = await read(withLogs(world, lie)).catch((error: unknown) => error);
      expect(failure).to.be.instanceOf(LogError);
      expect((failure as LogError).code).to.equal("ITC_LOG_MISMATCH");
    }
    expect(entries).to.deep.equal(Array.from({ length: 9 }, (_, k) => toHex(entryOf(k))));
  });

  it("passes on the failure of a node that doesn't answer", async () => {
    const deaf = withLogs(world, () => {
      throw new Error("no answer");
    });
    const failure = await read(deaf).catch((error: unknown) => error);
    expect(String(failure)).to.match(/no answer/);
  });
});
