import { expect } from "chai";
import {
  type Content,
  contentHash,
  FILE_SCHEMA,
  fileWord,
  SEALED_SCHEMA,
  SENML_SCHEMA,
  sealedWord,
} from "../../toolkit/anchoring/contents.js";
import {
  type Evidence,
  EvidenceError,
  MAX_BUNDLE_BYTES,
  readEvidence,
  writeEvidence,
} from "../../toolkit/anchoring/evidence.js";
import { signatureFindings } from "../../toolkit/anchoring/evidence-findings.js";
import { MAX_HEADER_BYTES } from "../../toolkit/anchoring/headers.js";
import { LogError, readLog } from "../../toolkit/anchoring/log-reader.js";
import { entryLeaf, MountainRange } from "../../toolkit/anchoring/mountain-range.js";
import { onChain } from "../../toolkit/anchoring/on-chain.js";
import { verifyEvidence } from "../../toolkit/anchoring/verify.js";
import { contractKey, type DeviceKey, signerOf } from "../../toolkit/identity/keys.js";
import { fromHex, toHex } from "../../toolkit/internal/bytes.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { activeLot, type EnrolledLot, FAR, keyOf, makerOf } from "../identity/fleet.js";
import { type Deployed, deployed } from "../support.js";
import { anchorReading, gatewayOf } from "./bundles.js";

const key = keyOf("evidence");
const unborn = keyOf("never active");

describe("Evidence of a reading", () => {
  let world: Deployed;
  let lot: EnrolledLot;
  let evidence: Evidence;
  let restore: () => Promise<void>;
  const maker = () => makerOf(world);
  const gateway = () => gatewayOf(world);

  const anchored = (by: DeviceKey = key, device = by.id) => anchorReading(world, by, { device });

  const verdict = (json: string) => verifyEvidence(json, world.ethers.provider);

  before(async () => {
    world = await deployed();
    lot = await activeLot(world, [key], { unborn: [unborn] });
    for (let k = 0; k < 5; k++) await anchored();
    evidence = await anchored();
  });

  beforeEach(async () => {
    const snapshot = await world.networkHelpers.takeSnapshot();
    restore = () => snapshot.restore();
  });

  afterEach(() => restore());

  it("is read back as it was written", () => {
    expect(readEvidence(writeEvidence(evidence))).to.deep.equal(evidence);
    const { content: _private, ...rest } = evidence;
    expect(readEvidence(writeEvidence(rest))).to.deep.equal(rest);
  });

  it("is read back with the state proof of a large chain, whose tries are deep", () => {
    // Two accounts and eight words, each below ten branches of 532 bytes, of which no two share any.
    const nodes = Array.from({ length: 100 }, (_, k) => new Uint8Array(532).fill(k));
    const large = { ...evidence, state: { header: new Uint8Array(700), nodes } };
    expect(readEvidence(writeEvidence(large))).to.deep.equal(large);
    const most = { header: new Uint8Array(MAX_HEADER_BYTES), nodes: Array<Uint8Array>(256).fill(new Uint8Array(1024)) };
    expect(readEvidence(writeEvidence({ ...evidence, state: most })).state).to.deep.equal(most);
  });

  it("holds for a reading in a log, from the bundle and a node alone", async () => {
    const { holds, findings } = await verdict(writeEvidence(evidence));
    expect(findings.map(({ what, holds: one }) => [what, one])).to.deep.equal(
      ["chain", "contracts", "signature", "content", "device", "maker", "log", "time"].map((what) => [what, true]),
    );
    expect(holds).to.equal(true);
  });

  it("holds on chain in one call, in a batch and alone, and after the log has grown", async () => {
    // From six entries to nine: the mountain of the sixth has become another.
    for (let k = 0; k < 2; k++) await anchored();
    const alone = await anchorReading(world, key, { alone: true });
    const signer = toHex(signerOf(key, world.addresses));
    const ask = (one: Evidence, siblings?: Uint8Array[]) =>
      world.anchor.verifySignedReading(...onChain(one, siblings), signer, one.reading.signature);
    const { range } = await readLog(world.ethers.provider, world.addresses.DataAnchor, gateway().address);
    const now = range.prove(Number(evidence.entry.index));
    expect([await ask(alone), await ask(evidence), await ask(evidence, now)]).to.deep.equal([true, false, true]);
    const [reading, place] = onChain(alone);
    expect(await world.anchor.verifyReading({ ...reading, sequence: 9n }, place)).to.equal(false);
  });

  it("holds after the log has grown", async () => {
    for (let k = 0; k < 9; k++) await anchored();
    expect((await verdict(writeEvidence(evidence))).holds).to.equal(true);
  });

  it("fails or is refused for every change of a byte, and never throws anything else", async () => {
    const json = writeEvidence(evidence);
    const at = [...json.matchAll(/[0-9a-f]/g)]
      .map(({ index }) => index)
      .filter((index) => /["0-9a-fx]/.test(json[index - 1] ?? ""));
    const passed: string[] = [];
    // By a stride that meets all fields; every place is changed where no node is asked, in verify-light.ts.
    for (let k = 0; k < at.length; k += 7) {
      const index = at[k] ?? 0;
      const digit = json[index] ?? "0";
      const other = /[0-9]/.test(digit)
        ? String((Number(digit) + 1) % 10)
        : String.fromCharCode(97 + ((digit.charCodeAt(0) - 96) % 6));
      const changed = json.slice(0, index) + other + json.slice(index + 1);
      try {
        if ((await verdict(changed)).holds) passed.push(changed.slice(index - 30, index + 5));
      } catch (error) {
        expect(error, changed.slice(index - 30, index + 5)).to.be.instanceOf(EvidenceError);
      }
    }
    expect(passed).to.deep.equal([]);
  });

  it("is refused when a part is missing, added, or of another type", () => {
    const parts = (value: unknown, path: string[] = []): string[][] =>
      typeof value === "object" && value !== null && !Array.isArray(value)
        ? Object.entries(value).flatMap(([name, inner]) => [[...path, name], ...parts(inner, [...path, name])])
        : [];
    const bundle: unknown = JSON.parse(writeEvidence(evidence));
    const changed = (path: string[], change: (holder: object, name: string) => void): string => {
      const copy: object = structuredClone(bundle) as object;
      const holder = path.slice(0, -1).reduce<object>((inner, name) => Reflect.get(inner, name), copy);
      change(holder, path.at(-1) ?? "");
      return JSON.stringify(copy);
    };
    const values = [null, 1, true, [], {}, "", "0x", "-1", "1e3", "0x1", ["0x"], "9".repeat(80), { __proto__: null }];
    for (const path of parts(bundle)) {
      if (!["content", "batch"].includes(path.join())) {
        expect(() => readEvidence(changed(path, (holder, name) => Reflect.deleteProperty(holder, name)))).to.throw(
          EvidenceError,
        );
      }
      expect(() => readEvidence(changed(path, (holder, name) => Reflect.set(holder, `${name}x`, 1)))).to.throw(
        EvidenceError,
      );
      for (const value of values) {
        const text = changed(path, (holder, name) => Reflect.set(holder, name, value));
        const harmless = Array.isArray(value) && value.length === 0 && path.at(-1) === "siblings";
        // A signature may be any bytes and fails later; an empty list of siblings is the proof of a lone leaf.
        if (value === "-1" && path.at(-1) === "value") continue;
        if (harmless || (path.at(-1) === "signature" && value === "0x")) readEvidence(text);
        else expect(() => readEvidence(text), `${path.join(".")} = ${JSON.stringify(value)}`).to.throw(EvidenceError);
      }
    }
  });

  it("is refused when it is too large, nested, or no JSON", () => {
    const code = (json: string): string => {
      try {
        readEvidence(json);
        return "read";
      } catch (error) {
        return error instanceof EvidenceError ? error.code : String(error);
      }
    };
    expect(code("x".repeat(MAX_BUNDLE_BYTES + 1))).to.equal("ITC_EVIDENCE_TOO_LARGE");
    expect(code("[".repeat(10_000) + "]".repeat(10_000))).to.equal("ITC_EVIDENCE_MALFORMED");
    for (const json of [
      "",
      "null",
      "[]",
      "{}",
      '{"format":"iotchain-evidence/3"}',
      '{"__proto__":{"format":"x"}}',
      "\u0000",
    ]) {
      expect(code(json)).to.equal("ITC_EVIDENCE_MALFORMED");
    }
  });

  it("is refused when it has a second spelling, and read with spaces between", () => {
    const json = writeEvidence(evidence);
    expect(readEvidence(JSON.stringify(JSON.parse(json), null, 2))).to.deep.equal(evidence);
    const spellings = [
      json.replace('{"format"', '{"format":"iotchain-evidence/3","format"'),
      json.replace('"content":{', '"content":{"kind":"scalar",'),
      json.replace('"chainId":"3', '"chainId":"\\u0033'),
      json.replace(evidence.anchor, evidence.anchor.toLowerCase()),
      json.replace(toHex(evidence.reading.content), `0x${toHex(evidence.reading.content).slice(2).toUpperCase()}`),
    ];
    for (const text of spellings) {
      expect(text).not.to.equal(json);
      expect(() => readEvidence(text), text.slice(0, 80)).to.throw(EvidenceError);
    }
  });

  it("fails on another chain", async () => {
    const { holds, findings } = await verdict(
      writeEvidence({ ...evidence, domain: { ...evidence.domain, chainId: 1n } }),
    );
    expect([holds, findings[0]?.holds, findings[2]?.holds]).to.deep.equal([false, false, false]);
  });

  it("fails for a device that never was active, or was revoked before the batch was anchored", async () => {
    const never = await verdict(writeEvidence(await anchored(unborn)));
    expect(never.findings.filter(({ holds }) => !holds).map(({ what }) => what)).to.deep.equal(["device"]);
    await world.registry.connect(maker()).revokeDevice(lot.id, key.id);
    const late = await verdict(writeEvidence(await anchored()));
    expect(late.findings.find(({ what }) => what === "device")?.detail).to.match(
      /revoked at .*, before the reading was anchored/,
    );
    expect(late.holds).to.equal(false);
  });

  it("holds for a device that was revoked after", async () => {
    await world.registry.connect(maker()).revokeDevice(lot.id, key.id);
    expect((await verdict(writeEvidence(evidence))).holds).to.equal(true);
  });

  describe("of a device whose key was replaced", () => {
    const next = keyOf("evidence, next", "p256");
    const last = keyOf("evidence, last");
    const failing = async (of: Evidence) =>
      (await verdict(writeEvidence(of))).findings.filter(({ holds }) => !holds).map(({ what }) => what);
    const signer = (of: DeviceKey) => toHex(signerOf(of, world.addresses));

    async function rotate(from: DeviceKey, to: DeviceKey): Promise<void> {
      const digest = fromHex(await world.registry.keyChangeDigest(key.id, signer(to), FAR));
      const [old, proof] = [from.sign(digest), to.sign(digest)].map(toHex);
      await world.registry.rotateKey(key.id, signer(from), signer(to), FAR, old ?? "", proof ?? "");
    }

    it("holds for each key while it was the device's, and fails for what is anchored under it before or after", async () => {
      const early = await anchored(next, key.id);
      await rotate(key, next);
      const [old, mine] = [await anchored(), await anchored(next, key.id)];
      await rotate(next, last);
      const [late, latest] = [await anchored(next, key.id), await anchored(last, key.id)];
      expect(await Promise.all([evidence, mine, latest].map(failing))).to.deep.equal([[], [], []]);
      for (const wrong of [early, old, late]) expect(await failing(wrong)).to.deep.equal(["device"]);
    });

    it("fails for the bare key of an account whose code is the device's key", async () => {
      // As EIP-7702 has it: an account with a key of its own, and code that may want more than that key.
      const guard = keyOf("evidence, guard");
      const wallet = await (await world.ethers.deployContract("MoodyWallet", [guard.id])).getAddress();
      await world.networkHelpers.setCode(last.id, await world.ethers.provider.getCode(wallet));
      await rotate(key, { ...contractKey(last.id), sign: guard.sign });
      expect(await failing(await anchored(last, key.id))).to.deep.equal(["device"]);
    });

    it("fails after the key was revoked, and holds for what was anchored before", async () => {
      const before = await anchored();
      await world.registry.revokeKey(key.id, signer(key));
      const after = await anchored();
      expect(await Promise.all([before, after].map(failing))).to.deep.equal([[], ["device"]]);
    });
  });

  it("fails while the device was suspended or retired, and holds before and between", async () => {
    const failing = async (of: Evidence) => !(await verdict(writeEvidence(of))).holds;
    const all = [await anchored()];
    await world.registry.suspend(key.id);
    all.push(await anchored());
    await world.registry.connect(maker()).suspend(key.id);
    await world.registry.resume(key.id);
    all.push(await anchored());
    await world.registry.connect(maker()).resume(key.id);
    all.push(await anchored());
    await world.registry.retire(key.id);
    all.push(await anchored());
    expect(await Promise.all(all.map(failing))).to.deep.equal([false, true, true, false, true]);
  });

  it("fails for content that is opened as another kind than its schema's", () => {
    const salt = new Uint8Array(32);
    const hash = fromHex(secretOf(5, "a payload"));
    const cid = hash;
    const plain: Content = { kind: "payload", hash, salt };
    const file: Content = { kind: "file", file: { size: 1n, chunkSize: 1024, root: hash, cid }, salt };
    const sealed: Content = { kind: "sealed", ciphertext: hash, plain: hash, salt };
    const number = BigInt.asIntN(256, BigInt(toHex(hash)));
    const word = (of: Content) =>
      of.kind === "file" ? fileWord(of.file) : sealedWord({ ciphertext: hash, plain: hash });
    const opens = (schema: Uint8Array, said: Content, shown: Content) => {
      const reading = { ...evidence.reading, schema, content: contentHash(said) };
      return signatureFindings({ ...evidence, reading, content: shown }, hash)[1]?.holds;
    };
    expect(opens(SENML_SCHEMA, plain, plain)).to.equal(true);
    expect(opens(SENML_SCHEMA, plain, { kind: "scalar", value: number, salt })).to.equal(false);
    for (const [schema, said] of [
      [FILE_SCHEMA, file],
      [SEALED_SCHEMA, sealed],
    ] as const) {
      expect(opens(schema, said, said)).to.equal(true);
      expect(opens(schema, said, { kind: "payload", hash: word(said), salt })).to.equal(false);
    }
  });

  it("fails when the contracts aren't those that the reader trusts", async () => {
    const trusted = { registry: evidence.domain.registry, anchor: evidence.anchor };
    const json = writeEvidence(evidence);
    expect((await verifyEvidence(json, world.ethers.provider, trusted)).holds).to.equal(true);
    for (const part of ["registry", "anchor"] as const) {
      const other = { ...trusted, [part]: world.addresses.ITC };
      expect((await verifyEvidence(json, world.ethers.provider, other)).holds).to.equal(false);
    }
    const nowhere = writeEvidence({ ...evidence, anchor: `0x${"00".repeat(19)}99` });
    expect((await verdict(nowhere)).findings.at(-1)?.detail).to.match(/^no such contract there/);
  });

  it("is under 4 KiB for a batch of 4,096 in a log of 1,000,000", () => {
    const siblings = (count: number) => Array.from({ length: count }, (_, k) => fromHex(secretOf(5, `s${k}`)));
    const batch = evidence.batch ?? expect.fail("no batch");
    const large = {
      ...evidence,
      batch: { ...batch, proof: { path: 4095n, siblings: siblings(12) } },
      entry: { ...evidence.entry, siblings: siblings(19) },
    };
    expect(writeEvidence(large).length).to.be.lessThan(4096);
  });

  it("a node that hides events is found out", async () => {
    const honest = world.ethers.provider;
    const lying = new Proxy(honest, {
      get(target, name, proxy) {
        if (name === "provider") return proxy;
        const own: unknown = Reflect.get(target, name, target);
        if (name !== "getLogs") return typeof own === "function" ? own.bind(target) : own;
        return async (filter: Parameters<typeof honest.getLogs>[0]) => (await honest.getLogs(filter)).slice(1);
      },
    });
    const error: unknown = await readLog(lying, world.addresses.DataAnchor, gateway().address).catch(
      (cause: unknown) => cause,
    );
    expect(error).to.be.instanceOf(LogError);
    const range = new MountainRange();
    range.append(entryLeaf(fromHex(secretOf(1, "x")), 1n));
    expect(toHex(range.root ?? new Uint8Array())).not.to.equal(await world.anchor.rootOf(gateway().address));
  });
});
