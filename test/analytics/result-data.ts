import { createHash } from "node:crypto";
import { expect } from "chai";
import { id, ZeroAddress } from "ethers";
import { AnalyticsError } from "../../toolkit/analytics/analytics-error.js";
import { neutralPartial, packed } from "../../toolkit/analytics/partials.js";
import { Operation } from "../../toolkit/analytics/query.js";
import { ANY_DEVICE, type AnalysisRequest, Settlement, Weighting } from "../../toolkit/analytics/requests.js";
import { contentOfData, ResultData, writeResultData } from "../../toolkit/analytics/result-data.js";
import { encodeRanges, Origin, type ResultLeaf } from "../../toolkit/analytics/result-tree.js";
import type { DeviceId } from "../../toolkit/identity/keys.js";
import { toHex } from "../../toolkit/internal/bytes.js";
import { never } from "./aggregating.js";
import { queryOf } from "./queries.js";

const query = queryOf(Operation.Mean, { lower: -(2n ** 63n) });
const request: AnalysisRequest = {
  requester: "0x52908400098527886E0F7030069857D2E4169EE7",
  salt: id("salt"),
  purpose: id("purpose"),
  query,
  filter: { ...ANY_DEVICE, region: 2n ** 64n - 1n },
  terms: {
    cohort: 2n,
    epsilon: 5n,
    price: 1n,
    reward: 2n ** 128n - 1n,
    fee: 0n,
    bond: 7n,
    deadline: 9n,
    challengeWindow: 11n,
    weighting: Weighting.Devices,
    settlement: Settlement.Pushed,
  },
};
const expected = { chainId: 31337n, analytics: "0x8617E340B3D01FA5F11F306F4090FD50E238070D", request };
const address = (k: number) => `0x${k.toString(16).padStart(40, "0")}`;
const empty = new Uint8Array();

const leaves: ResultLeaf[] = Array.from({ length: 300 }, (_, k) => ({
  owner: address(Math.floor(k / 7)),
  device: address(k) as DeviceId,
  origin: Origin.Proved,
  count: BigInt(k + 1),
  weight: 1n,
  spent: 0n,
  evidence: [encodeRanges([[0n, BigInt(k)]]), empty],
  partial: packed([BigInt(-k), BigInt(k + 1)]),
}));
const [one] = leaves as [ResultLeaf];
const withheld: ResultLeaf = {
  ...one,
  origin: 0,
  count: 0n,
  weight: 0n,
  evidence: [empty, empty],
  partial: neutralPartial(query),
};

function textOf(list: readonly ResultLeaf[], changes = {}): string {
  return Buffer.concat([...writeResultData({ ...expected, ...changes, leaves: list.length }, list)]).toString();
}

async function read(text: string, options = {}, wanted = expected, width = 1_000): Promise<ResultLeaf[]> {
  const bytes = Buffer.from(text);
  const pieces = function* () {
    for (let at = 0; at < bytes.length; at += width) yield bytes.subarray(at, at + width);
  };
  const found: ResultLeaf[] = [];
  for await (const leaf of await ResultData.open(pieces(), wanted, options)) found.push(leaf);
  return found;
}

async function faultOf(reading: Promise<unknown>): Promise<string> {
  return await reading.then(never, (error: Error) => error.message);
}

describe("The data of a result", () => {
  const text = textOf(leaves);
  const lines = text.trimEnd().split("\n");
  const withLine = (number: number, line: string) => `${lines.with(number - 1, line).join("\n")}\n`;

  it("reads back as it was written, whatever pieces it comes in", async () => {
    for (const width of [1, 7, 100, 65_536, 10 ** 7])
      expect(await read(text, {}, expected, width)).to.deep.equal(leaves);
    expect(await read(textOf([withheld]))).to.deep.equal([withheld]);
    const { header } = await ResultData.open([Buffer.from(text)], expected);
    expect(header).to.deep.equal({ ...expected, analytics: header.analytics, leaves: 300 });
    expect(header.analytics.toLowerCase()).to.equal(expected.analytics.toLowerCase());
  });

  it("is the same file for the same result, byte for byte", () => {
    const shouted = leaves.map((leaf) => ({
      ...leaf,
      owner: `0x${leaf.owner.slice(2).toUpperCase()}`,
      device: `0x${leaf.device.slice(2).toUpperCase()}` as DeviceId,
    }));
    expect(textOf(shouted)).to.equal(text);
  });

  it("has the SHA-256 that is proposed, known once all is read", async () => {
    const data = await ResultData.open([Buffer.from(text)], expected);
    expect(() => data.content).to.throw(RangeError);
    for await (const _ of data);
    const hash = toHex(createHash("sha256").update(text).digest());
    expect([data.content, await contentOfData([Buffer.from(text)])]).to.deep.equal([hash, hash]);
  });

  describe("names the line that", () => {
    const refused = async (wrong: string, line: number, why: RegExp) => {
      const message = await faultOf(read(wrong));
      expect(message)
        .to.match(new RegExp(`^ITC_RESULT_DATA: Line ${line} of`))
        .and.match(why);
    };

    it("isn't JSON, isn't in the format, or not in its one spelling", async () => {
      const leaf = lines[4] ?? never();
      await refused("\n", 1, /no JSON/);
      await refused("", 1, /no header/);
      await refused("{}\n", 1, /format/);
      await refused(withLine(1, (lines[0] ?? "").replace("result:1", "result:2")), 1, /format/);
      await refused(withLine(1, (lines[0] ?? "").replace('"size":0', '"size": 0')), 1, /one spelling/);
      await refused(withLine(1, (lines[0] ?? "").replace('"size":0', '"size":0,"more":1')), 1, /more/);
      for (const wrong of [leaf.replace("[", "[ "), leaf.replace('"1"', '"\\u0031"'), `${leaf} `]) {
        await refused(withLine(5, wrong), 5, /one spelling/);
      }
      for (const wrong of [
        leaf.replace(/0x0/, "0X0"),
        leaf.replace('"4"', '"04"'),
        leaf.replace('"4"', "4"),
        leaf.replace('"4"', `"${2n ** 64n}"`),
        leaf.replace(',1,"', ',3,"'),
        leaf.replace(/"0x"/, '"0x0"'),
        leaf.replace("]", ',"0x"]'),
        '{"owner":1}',
        "null",
      ]) {
        await refused(withLine(5, wrong), 5, /:/);
      }
      await refused(withLine(5, leaf.slice(1)), 5, /no JSON/);
    });

    it("is one too many, or isn't there, or has no end", async () => {
      await refused(`${text}${lines[300]}\n`, 302, /300 leaves/);
      await refused(`${lines.slice(0, 100).join("\n")}\n`, 100, /99 leaves of 300/);
      await refused(text.slice(0, -1), 301, /no end/);
      await refused(text.slice(0, -2), 301, /no end/);
    });

    it("is out of order, or has a partial of another length", async () => {
      await refused(textOf([...leaves.slice(0, 5), ...leaves.slice(3, 9)]), 7, /after the one before/);
      await refused(textOf([one, one]), 3, /after the one before/);
      await refused(textOf([one, { ...(leaves[1] ?? never()), partial: new Uint8Array(63) }]), 3, /64 bytes/);
    });

    it("is longer than any honest one, without holding more of it", async () => {
      let given = 0;
      const endless = function* () {
        yield Buffer.from(`${lines[0]}\n[`);
        for (;;) yield Buffer.alloc((given += 65_536) > 2 ** 28 ? never() : 65_536, 0x30);
      };
      const reading = async () => {
        for await (const _ of await ResultData.open(endless(), expected));
      };
      expect(await faultOf(reading())).to.match(/^ITC_RESULT_DATA: Line 2 .* at most/);
      expect(given).to.be.below(2 ** 22);
      await refused(`${"0".repeat(5_000)}\n`, 1, /at most/);
    });
  });

  it("refuses the data of another request, contract or chain", async () => {
    for (const other of [
      { request: { ...request, salt: id("other") } },
      { request: { ...request, query: { ...query, cap: 1n } } },
      { request: { ...request, terms: { ...request.terms, epsilon: 6n } } },
      { analytics: ZeroAddress },
      { chainId: 1n },
    ]) {
      expect(await faultOf(read(textOf(leaves, other)))).to.match(/Line 1 .*another request/);
    }
  });

  it("lets go of its source, whether it is read to its end, refused or left", async () => {
    const left = async (source: string, most = Number.POSITIVE_INFINITY) => {
      let isOpen = true;
      const pieces = async function* () {
        try {
          for (const piece of [source.slice(0, 999), source.slice(999)]) yield Buffer.from(piece);
        } finally {
          isOpen = false;
        }
      };
      try {
        let count = 0;
        for await (const _ of await ResultData.open(pieces(), expected)) if (++count >= most) break;
      } catch (error) {
        expect(error).to.be.instanceOf(AnalyticsError);
      }
      return !isOpen;
    };
    expect(await left(text)).to.equal(true);
    expect(await left(text, 1)).to.equal(true);
    expect(await left(`[]\n${text}`)).to.equal(true);
    expect(await left(`${lines[0]}\n[]\n${lines.slice(2).join("\n")}\n`)).to.equal(true);
  });

  it("lets who checks a proposal see leaves out of order", async () => {
    const wrong = [...leaves.slice(5, 9), one, one, { ...one, partial: empty }];
    expect(await read(textOf(wrong), { strict: false })).to.deep.equal(wrong);
  });

  it("isn't written with another number of leaves than it says", () => {
    expect(() => [...writeResultData({ ...expected, leaves: 2 }, leaves)]).to.throw(RangeError);
  });
});
