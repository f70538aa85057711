import { copyFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { expect } from "chai";
import { entryOf } from "../../toolkit/anchoring/batches.js";
import {
  type BatchDraft,
  type BatchStatement,
  type MeasuredReading,
  openingOf,
  stateBatch,
} from "../../toolkit/anchoring/committed-batch.js";
import { EntryDigests } from "../../toolkit/anchoring/entries.js";
import { writeEvidence } from "../../toolkit/anchoring/evidence.js";
import type { Gateway } from "../../toolkit/anchoring/gateway.js";
import type { CommitPolicy, Committing } from "../../toolkit/anchoring/gateway-committing.js";
import type { GatewayOptions } from "../../toolkit/anchoring/gateway-options.js";
import { readLog } from "../../toolkit/anchoring/log-reader.js";
import { contentOf, saltOf, signReading } from "../../toolkit/anchoring/readings.js";
import { verifyEvidence } from "../../toolkit/anchoring/verify.js";
import { type DeviceKey, heldBy, signerOf } from "../../toolkit/identity/keys.js";
import { fromHex, toHex } from "../../toolkit/internal/bytes.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { activeLot, FAR, keyOf } from "../identity/fleet.js";
import { onRig, type Rig, rain, refused, wind } from "./gateway-rig.js";

const LABELS = Array.from({ length: 13 }, (_, k) => `committing-${k}`);
const relayer = keyOf("relayer");
const secret = fromHex(secretOf(3, "salts"));

describe("A gateway that commits to values", () => {
  let rig: Rig;
  let gateway: Gateway;
  let file: string;
  let publisher: DeviceKey;
  /** Another device for each test, since their logs stay. */
  let key: DeviceKey;
  let told: [string, bigint][];
  const spare = LABELS.map((label, k) => keyOf(label, k === 0 ? "p256" : "secp256k1"));
  const unused = [...spare];

  const committing = (): Committing => gateway.committing ?? expect.fail("It doesn't commit.");
  const open = async (changes: Partial<GatewayOptions> = {}): Promise<void> => {
    const commit = { secret, relayer, verifiers: rig.world.addresses, readings: 4 };
    gateway = await rig.open({ file, publisher, commit, ...changes });
    for (const name of ["committed", "overtaken", "unrelayed"] as const) {
      gateway.events.on(name, ({ index }: { index: bigint }) => told.push([name, index]));
    }
  };
  const again = async (changes: Partial<GatewayOptions> = {}): Promise<void> => {
    await gateway.close();
    await open(changes);
  };
  const measure = (sequence: bigint, value = sequence * 3n, schema = wind, by = key): MeasuredReading => {
    const measurement = { value, salt: saltOf(fromHex("07"), sequence) };
    const said = { sequence, time: rig.now + sequence, schema, content: contentOf(measurement) };
    return { reading: signReading(by, rig.world.digests, said), measurement };
  };
  const send = ({ reading, measurement }: MeasuredReading): void => {
    gateway.receive(reading, openingOf(measurement));
  };
  const sendMany = (first: bigint, count: number): void => {
    for (let k = 0n; k < BigInt(count); k++) send(measure(first + k));
  };
  const domain = () => ({
    digests: rig.world.digests,
    entries: new EntryDigests({ chainId: rig.world.chainId, anchor: rig.world.addresses.DataAnchor }),
  });
  const drafted = async (): Promise<BatchDraft> => (await committing().draftOf(key.id)) ?? expect.fail("No draft.");
  /** What the device says to a draft, of what it has measured itself. */
  const stated = (draft: BatchDraft): BatchStatement => {
    const measured = Array.from({ length: Number(draft.count) }, (_, k) => measure(draft.firstSequence + BigInt(k)));
    return stateBatch(key, domain(), measured, draft);
  };
  /** Works until nothing is under way. */
  const settle = async (): Promise<void> => {
    for (let k = 0; k < 30 && committing().status().relaying > 0n; k++) {
      await gateway.tick();
      await rig.mine();
    }
    expect(committing().status().relaying).to.equal(0n);
  };
  const logOf = () => readLog(rig.world.ethers.provider, rig.world.addresses.DataAnchor, key.id);
  onRig(
    (one) => {
      rig = one;
    },
    async () => {
      if (unused.length === spare.length) {
        await rig.mined(() => activeLot(rig.world, spare));
        await rig.ask("hardhat_setBalance", [relayer.id, "0xde0b6b3a7640000"]);
      }
      key = unused.shift() ?? expect.fail("More devices are needed.");
      told = [];
      file = rig.file();
      publisher = await rig.publisher();
      await open();
      gateway.admit(key);
    },
  );

  it("brings a batch that it offers and the device signs into the device's own log, once", async () => {
    expect(await committing().draftOf(key.id)).to.equal(undefined);
    sendMany(0n, 6);
    const statement = stated(await drafted());
    committing().receive(statement);
    committing().receive(statement);
    committing().receive(stated(await drafted()));
    expect(await committing().draftOf(key.id)).to.equal(undefined);
    await settle();
    const { entries } = await logOf();
    const provable = [...committing().provable(key.id)];
    expect(
      provable.map(({ index, time, committed }) => [index, time, committed.firstSequence, committed.values]),
    ).to.deep.equal([
      [0n, entries[0]?.time, 0n, [0n, 3n, 6n, 9n]],
      [1n, entries[1]?.time, 4n, [12n, 15n]],
    ]);
    expect(entries[0]?.entry).to.deep.equal(statement.entry);
    expect(entries.map(({ entry }) => entry)).to.deep.equal(provable.map(({ header }) => entryOf(header)));
    expect(told).to.deep.equal([
      ["committed", 0n],
      ["committed", 1n],
    ]);
    expect([...committing().provable(key.id, 1n)].length).to.equal(1);
    const evidence = await committing().evidenceOf(key.id, 5n);
    expect(evidence.batch.values).to.deep.equal(provable[1]?.header.values);
    const { DeviceRegistry: registry, DataAnchor: anchor } = rig.world.addresses;
    const verdict = await verifyEvidence(writeEvidence(evidence), rig.world.ethers.provider, { registry, anchor });
    expect(verdict.holds, JSON.stringify(verdict.findings)).to.equal(true);
    const spoilt = { ...evidence, batch: { ...evidence.batch, values: secret } };
    expect((await verifyEvidence(writeEvidence(spoilt), rig.world.ethers.provider)).holds).to.equal(false);
  });

  it("offers the same after a restart, and no readings that are closed, out of range, or of another schema", async () => {
    const far = 2n ** 39n;
    send(measure(0n, far));
    send(measure(1n, -far - 1n));
    gateway.receive(measure(2n).reading);
    gateway.receive(measure(3n).reading, new Uint8Array(64));
    sendMany(4n, 2);
    send(measure(6n, 18n, rain));
    sendMany(7n, 5);
    const draft = await drafted();
    expect([draft.firstSequence, draft.count, draft.index]).to.deep.equal([4n, 2n, 0n]);
    await again();
    expect(await drafted()).to.deep.equal(draft);
    committing().receive(stated(draft));
    await again();
    const next = await drafted();
    expect([next.firstSequence, next.count, next.index]).to.deep.equal([6n, 1n, 1n]);
    // The opening may come later.
    gateway.receive(measure(2n).reading, openingOf(measure(2n).measurement));
    gateway.receive(measure(2n).reading, new Uint8Array(64));
    expect([(await drafted()).firstSequence, (await drafted()).count]).to.deep.equal([2n, 1n]);
    committing().receive(stated(await drafted()));
    committing().receive(stateBatch(key, domain(), [measure(6n, 18n, rain)], await drafted()));
    // Reading 9 is the first of the next span.
    const span = rig.now + 9n;
    await again({ commit: { secret, relayer, verifiers: rig.world.addresses, span } });
    expect([(await drafted()).firstSequence, (await drafted()).count]).to.deep.equal([7n, 2n]);
  });

  it("refuses statements that are malformed, tampered with, or of readings that it can't open", async () => {
    sendMany(0n, 3);
    gateway.receive(measure(3n).reading);
    send(measure(4n, 2n ** 39n));
    const draft = await drafted();
    const right = stated(draft);
    const cases: readonly [Partial<BatchStatement>, string][] = [
      [{ device: keyOf("stranger").id }, "ITC_GATEWAY_UNKNOWN"],
      [{ index: -1n }, "ITC_GATEWAY_STATEMENT"],
      [{ index: 2n ** 63n }, "ITC_GATEWAY_STATEMENT"],
      [{ firstSequence: -1n }, "ITC_GATEWAY_STATEMENT"],
      [{ firstSequence: 2n ** 64n - 2n }, "ITC_GATEWAY_STATEMENT"],
      [{ firstSequence: 2n ** 63n - 1n }, "ITC_GATEWAY_STATEMENT"],
      [{ count: 0n }, "ITC_GATEWAY_STATEMENT"],
      [{ count: 257n }, "ITC_GATEWAY_STATEMENT"],
      [{ salt: new Uint8Array(32) }, "ITC_GATEWAY_STATEMENT"],
      [{ entry: new Uint8Array(31) }, "ITC_GATEWAY_STATEMENT"],
      [{ count: 4n }, "ITC_GATEWAY_VALUES"],
      [{ firstSequence: 4n, count: 1n }, "ITC_GATEWAY_VALUES"],
      [{ firstSequence: 5n, count: 1n }, "ITC_GATEWAY_VALUES"],
      [{ count: 2n }, "ITC_GATEWAY_COMMITMENT"],
      [{ salt: right.salt.map((byte) => byte ^ 1) }, "ITC_GATEWAY_COMMITMENT"],
      [{ entry: secret }, "ITC_GATEWAY_COMMITMENT"],
      [{ index: 1n }, "ITC_GATEWAY_SIGNATURE"],
      [{ signature: keyOf("stranger").sign(domain().entries.entry(right)) }, "ITC_GATEWAY_SIGNATURE"],
      [{ signature: new Uint8Array() }, "ITC_GATEWAY_SIGNATURE"],
    ];
    for (const [change, code] of cases) await refused(() => committing().receive({ ...right, ...change }), code);
    expect(committing().status().relaying).to.equal(0n);
    committing().receive(right);
    const later = stated({ ...draft, index: 1n });
    await refused(() => committing().receive(later), "ITC_GATEWAY_STATEMENT", "reading 0 is in entry 0");
    await settle();
    const other = { ...right, entry: secret };
    await refused(() => committing().receive(other), "ITC_GATEWAY_STATEMENT", "another entry 0");
    await refused(() => committing().draftOf(publisher.id), "ITC_GATEWAY_UNKNOWN");
    gateway.admit(publisher);
    await refused(() => committing().draftOf(publisher.id), "ITC_GATEWAY_OWN_LOG");
    await refused(() => committing().evidenceOf(key.id, 3n), "ITC_GATEWAY_NOT_FINAL");
    await refused(() => committing().evidenceOf(key.id, 9n), "ITC_GATEWAY_NOT_KEPT");
  });

  it("loses and doubles nothing, whichever request to the node it is killed at", async () => {
    sendMany(0n, 2);
    committing().receive(stated(await drafted()));
    let lives = 0;
    for (let count = 1; committing().status().relaying > 0n; count = (count % 16) + 1, lives++) {
      let left = count;
      rig.node.before = () => {
        if (left-- > 0) return undefined;
        throw new Error("killed");
      };
      for (let steps = 0; left >= 0 && steps < 6; steps++) await gateway.tick().catch(() => {});
      rig.node.heal();
      if (lives % 3 === 2) await rig.mine();
      // What a killed process leaves: the files as they are, with nothing closed.
      const copy = rig.file();
      for (const part of ["", "-wal"]) if (existsSync(file + part)) copyFileSync(file + part, copy + part);
      await gateway.close();
      file = copy;
      await open();
      expect(lives).to.be.lessThan(60);
    }
    expect(lives).to.be.greaterThan(5);
    expect((await logOf()).entries.length).to.equal(1);
    expect([...committing().provable(key.id)].map(({ committed }) => committed.values)).to.deep.equal([[0n, 3n]]);
  });

  it("sends again what a reorg has taken back, and notes the new time", async () => {
    sendMany(0n, 2);
    committing().receive(stated(await drafted()));
    const snapshot = await rig.ask("evm_snapshot", []);
    await gateway.tick();
    await rig.mine();
    await gateway.tick();
    expect((await logOf()).entries.length).to.equal(1);
    await rig.ask("evm_revert", [snapshot]);
    await rig.ask("evm_setAutomine", [false]);
    await rig.ask("evm_increaseTime", [100]);
    await rig.mine(2);
    await settle();
    const { entries } = await logOf();
    expect([...committing().provable(key.id)].map(({ time }) => time)).to.deep.equal(entries.map(({ time }) => time));
    expect(entries.length).to.equal(1);
  });

  it("offers readings anew when another entry of the device has taken the place", async () => {
    sendMany(0n, 2);
    const draft = await drafted();
    const { anchor, addresses } = rig.world;
    const signature = key.sign(domain().entries.entry({ ...draft, entry: secret }));
    await rig.mined(() => anchor.appendFor(key.id, 0n, secret, signerOf(key, addresses), signature));
    committing().receive(stated(draft));
    await settle();
    expect(told).to.deep.equal([["overtaken", 0n]]);
    const next = await drafted();
    expect([next.index, next.firstSequence, next.count]).to.deep.equal([1n, 0n, 2n]);
    committing().receive(stated(next));
    await settle();
    expect((await logOf()).entries.length).to.equal(2);
  });

  it("looks a stretch a step for what stood there long before, not for all of the past at once", async () => {
    sendMany(0n, 2);
    const draft = await drafted();
    const { anchor, addresses } = rig.world;
    const signature = key.sign(domain().entries.entry({ ...draft, entry: secret }));
    await rig.mined(() => anchor.appendFor(key.id, 0n, secret, signerOf(key, addresses), signature));
    await rig.mine(40_000);
    committing().receive(stated(draft));
    const asked: number[] = [];
    for (let k = 0; k < 6 && told.length === 0; k++) {
      rig.node.asked.length = 0;
      await gateway.tick();
      asked.push(rig.node.asked.filter((method) => method === "eth_getLogs").length);
      await rig.mine();
    }
    expect(told).to.deep.equal([["overtaken", 0n]]);
    expect(asked.length).to.be.greaterThan(2);
    for (const count of asked) expect(count).to.be.lessThan(20);
  });

  it("pays for nothing that the chain would refuse, and goes on when it doesn't", async () => {
    sendMany(0n, 2);
    committing().receive(stated(await drafted()));
    const nonce = () => rig.world.ethers.provider.getTransactionCount(relayer.id);
    const before = await nonce();
    await rig.mined(() => rig.world.registry.suspend(key.id));
    for (let k = 0; k < 3; k++) {
      await gateway.tick();
      await rig.mine();
    }
    expect([told[0], await nonce()]).to.deep.equal([["unrelayed", 0n], before]);
    await rig.mined(() => rig.world.registry.resume(key.id));
    const fees: bigint[] = [];
    await again({ fees: { ceiling: 1n, tip: 1n } });
    gateway.events.on("expensive", ({ ceiling }) => fees.push(ceiling));
    await gateway.tick();
    expect([fees, await nonce()]).to.deep.equal([[1n], before]);
    await again();
    await settle();
    expect(await nonce()).to.equal(before + 1);
  });

  it("asks the device again under its next key, when the old one can't speak any more", async () => {
    sendMany(0n, 2);
    const draft = await drafted();
    committing().receive(stated(draft));
    const next = heldBy(key.id, keyOf("committing next", "p256"));
    const { registry, digests, addresses } = rig.world;
    const [from, to] = [key, next].map((one) => toHex(signerOf(one, addresses)));
    const change = digests.keyChange({ device: key.id, signer: fromHex(to ?? ""), nonce: 0n, deadline: FAR });
    await rig.mined(() => registry.rotateKey(key.id, from ?? "", to ?? "", FAR, key.sign(change), next.sign(change)));
    await gateway.tick();
    expect(told).to.deep.equal([["unrelayed", 0n]]);
    gateway.admit(next);
    expect(await drafted()).to.deep.equal(draft);
    committing().receive({ ...draft, signature: next.sign(domain().entries.entry(draft)) });
    await settle();
    expect((await logOf()).entries.length).to.equal(1);
  });

  it("brings many devices' batches in one transaction, and forgets values when it is told to", async () => {
    const other = unused.shift() ?? expect.fail("More devices are needed.");
    gateway.admit(other);
    sendMany(0n, 2);
    for (const sequence of [0n, 1n]) send(measure(sequence, 5n, wind, other));
    committing().receive(stated(await drafted()));
    const draft = (await committing().draftOf(other.id)) ?? expect.fail("No draft.");
    committing().receive(
      stateBatch(
        other,
        domain(),
        [0n, 1n].map((sequence) => measure(sequence, 5n, wind, other)),
        draft,
      ),
    );
    const before = await rig.world.ethers.provider.getTransactionCount(relayer.id);
    await settle();
    expect(await rig.world.ethers.provider.getTransactionCount(relayer.id)).to.equal(before + 1);
    expect([...committing().provable(other.id)].length).to.equal(1);
    await again({ keep: 100n });
    rig.now += 101n;
    sendMany(2n, 1);
    committing().receive(stated(await drafted()));
    await settle();
    expect([...committing().provable(other.id)].length).to.equal(0);
    expect([...committing().provable(key.id)].map(({ index }) => index)).to.deep.equal([1n]);
  });

  it("gives away no values and no evidence that a disk has changed", async () => {
    sendMany(0n, 2);
    committing().receive(stated(await drafted()));
    await settle();
    for (const [sql, ask] of [
      ["UPDATE committed SET content = zeroblob(16)", () => [...committing().provable(key.id)]],
      ["UPDATE committed SET commitment = zeroblob(32)", () => [...committing().provable(key.id)]],
      ["UPDATE reading SET time = time + 1", () => committing().evidenceOf(key.id, 0n)],
      ["UPDATE reading SET payload = zeroblob(64)", () => committing().evidenceOf(key.id, 0n)],
      ["DELETE FROM reading WHERE sequence = 1", () => committing().evidenceOf(key.id, 0n)],
    ] as const) {
      await gateway.close();
      const whole = readFileSync(file);
      const store = new DatabaseSync(file);
      store.exec(sql);
      store.close();
      await open();
      await refused(ask, "ITC_GATEWAY_CORRUPT");
      await gateway.close();
      writeFileSync(file, whole);
      await open();
    }
    expect([...committing().provable(key.id)].length).to.equal(1);
  });

  it("is told how by options that are checked", async () => {
    const commit = { secret, relayer, verifiers: rig.world.addresses };
    const wrong: readonly Partial<CommitPolicy>[] = [
      { secret: new Uint8Array(31) },
      { relayer: publisher },
      { relayer: keyOf("chip", "p256") },
      { readings: 0 },
      { readings: 257 },
      { span: 0n },
      { verifiers: { ...rig.world.addresses, P256Verifier: "0x12" } },
    ];
    for (const change of wrong) {
      await refused(() => rig.open({ publisher, commit: { ...commit, ...change } }), "ITC_GATEWAY_OPTIONS");
    }
    expect((await rig.open({ publisher })).committing).to.equal(undefined);
  });
});
