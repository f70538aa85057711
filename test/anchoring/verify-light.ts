import { expect } from "chai";
import { attachState } from "../../toolkit/anchoring/attach.js";
import { type Evidence, EvidenceError, readEvidence, writeEvidence } from "../../toolkit/anchoring/evidence.js";
import { headersBetween, readHeader } from "../../toolkit/anchoring/headers.js";
import { verifyEvidence } from "../../toolkit/anchoring/verify.js";
import { verifyLight } from "../../toolkit/anchoring/verify-light.js";
import { Digests } from "../../toolkit/identity/digests.js";
import { type DeviceKey, signerOf } from "../../toolkit/identity/keys.js";
import { toHex } from "../../toolkit/internal/bytes.js";
import { activeLot, type EnrolledLot, FAR, keyOf, makerOf } from "../identity/fleet.js";
import { type Deployed, deployed } from "../support.js";
import { anchorReading } from "./bundles.js";

const key = keyOf("light");
const curve = keyOf("light, on P-256", "p256");
const unborn = keyOf("light, unborn");
const ALL = ["header", "chain", "contracts", "signature", "content", "device", "maker", "log", "time"];

describe("Evidence by a trusted block", () => {
  let world: Deployed;
  let lot: EnrolledLot;
  let maker: Deployed["operator"];
  let evidence: Evidence;
  let json: string;
  let trusted: string;
  let restore: () => Promise<void>;

  const attached = (of: Evidence, block?: bigint) => attachState(of, world.ethers.provider, block);
  const latest = async () => BigInt(await world.ethers.provider.getBlockNumber());
  const hashOf = (of: Evidence) => toHex(readHeader(of.state?.header ?? new Uint8Array())?.hash ?? new Uint8Array());
  /** What doesn't hold by the bundle's own block. */
  const failing = async (of: Evidence) => {
    const { findings } = await verifyLight(writeEvidence(of), { trusted: hashOf(of) });
    return findings.filter(({ holds }) => !holds).map(({ what, detail }) => `${what}: ${detail}`);
  };
  const code = (of: Promise<unknown>) =>
    of.then(
      () => "none",
      (error: unknown) => (error instanceof EvidenceError ? error.code : String(error)),
    );

  before(async () => {
    world = await deployed();
    lot = await activeLot(world, [key, curve], { unborn: [unborn] });
    maker = makerOf(world);
    for (let k = 0; k < 5; k++) await anchorReading(world, key);
    evidence = await attached(await anchorReading(world, key));
    json = writeEvidence(evidence);
    trusted = hashOf(evidence);
  });

  beforeEach(async () => {
    const snapshot = await world.networkHelpers.takeSnapshot();
    restore = () => snapshot.restore();
  });

  afterEach(() => restore());

  it("holds from the bundle and a block's hash, and is read back as it was written", async () => {
    const { holds, findings } = await verifyLight(json, { trusted });
    expect(findings.map(({ what, holds: one }) => [what, one])).to.deep.equal(ALL.map((what) => [what, true]));
    expect(holds).to.equal(true);
    expect(readEvidence(json)).to.deep.equal(evidence);
  });

  it("says in words who, where, when and how well", async () => {
    const { findings } = await verifyLight(json, { trusted });
    const said = findings.map(({ what, detail }) => `${what}: ${detail}`).join("\n");
    for (const word of [key.id, maker.address, "assurance 2", `entry ${evidence.entry.index} of 6`, "at the latest"]) {
      expect(said).to.include(word);
    }
  });

  it("holds for a P-256 key, and for a reading that is an entry of its own", async () => {
    expect(await failing(await attached(await anchorReading(world, curve)))).to.deep.equal([]);
    expect(await failing(await attached(await anchorReading(world, key, { alone: true })))).to.deep.equal([]);
  });

  it("holds by the same block when the log has grown since, and by a later one", async () => {
    for (let k = 0; k < 9; k++) await anchorReading(world, curve);
    expect((await verifyLight(json, { trusted })).holds).to.equal(true);
    const { state: _, ...old } = evidence;
    const later = await attached(old, await latest());
    expect(later.entry.siblings.length).to.be.greaterThan(evidence.entry.siblings.length);
    expect(await failing(later)).to.deep.equal([]);
    expect((await verifyEvidence(writeEvidence(later), world.ethers.provider)).holds).to.equal(true);
  });

  it("holds by a later trusted block with the headers between, and not without", async () => {
    const block = await latest();
    await world.networkHelpers.mine(4);
    const headers = (await headersBetween(world.ethers.provider, block + 4n, block)).map(toHex);
    const newest = (await world.ethers.provider.getBlock("latest"))?.hash ?? "";
    expect((await verifyLight(json, { trusted: newest, headers })).holds).to.equal(true);
    for (const wrong of [[], headers.slice(1), headers.slice(0, 3)]) {
      const { holds, findings } = await verifyLight(json, { trusted: newest, headers: wrong });
      expect([holds, findings.map(({ what }) => what)]).to.deep.equal([false, ALL.slice(0, 5)]);
    }
  });

  it("fails or is refused for every change of a character, wherever it is", async () => {
    const passed: string[] = [];
    // A digit for the next, a letter for its other case (a checksum tells), and any other for the one behind it.
    const other = (character: string): string => {
      if (/[0-9]/.test(character)) return String((Number(character) + 1) % 10);
      return String.fromCharCode(/[a-z]/i.test(character) ? character.charCodeAt(0) ^ 32 : character.charCodeAt(0) + 1);
    };
    const next = (character: string): string =>
      /[a-e]/.test(character) ? String.fromCharCode(character.charCodeAt(0) + 1) : "0";
    for (let index = 0; index < json.length; index++) {
      const character = json[index] ?? "";
      const changes = [other(character)];
      // By a stride that meets all fields, a letter for another that is hex too, and one left out.
      if (index % 13 === 0) changes.push(next(character), "");
      for (const change of changes.filter((one) => one !== character)) {
        const changed = json.slice(0, index) + change + json.slice(index + 1);
        try {
          if ((await verifyLight(changed, { trusted })).holds) passed.push(changed.slice(index - 30, index + 5));
        } catch (error) {
          if (!(error instanceof EvidenceError)) throw error;
        }
      }
    }
    expect(passed).to.deep.equal([]);
  });

  it("fails for parts of another bundle that holds itself", async () => {
    const other = await attached(await anchorReading(world, curve, { time: 1_800_000_000n }));
    expect(await failing(other)).to.deep.equal([]);
    const parts = ["key", "reading", "content", "batch", "entry", "state"] as const;
    for (const part of parts) {
      const mixed = { ...evidence, [part]: other[part] };
      // The same measurement was made with the same salt by both.
      if (part !== "content") expect(await failing(mixed), part).not.to.deep.equal([]);
    }
  });

  it("is refused without a state proof, and for what is no hash or no headers", async () => {
    const { state: _, ...bare } = evidence;
    expect(await code(verifyLight(writeEvidence(bare), { trusted }))).to.equal("ITC_EVIDENCE_NO_STATE");
    for (const wrong of ["", "0x", "latest", trusted.slice(2), `${trusted}00`]) {
      expect(await code(verifyLight(json, { trusted: wrong }))).to.equal("ITC_EVIDENCE_TRUST");
    }
    for (const headers of [["0x1"], ["f90"], Array.from({ length: 9_000 }, () => "0x")]) {
      expect(await code(verifyLight(json, { trusted, headers }))).to.equal("ITC_EVIDENCE_TRUST");
    }
  });

  it("fails for a device that never was active, or was suspended or revoked before the reading was anchored", async () => {
    expect(await failing(await attached(await anchorReading(world, unborn)))).to.deep.equal([
      `device: ${unborn.id} was never activated`,
    ]);
    await world.registry.suspend(key.id);
    expect((await failing(await attached(await anchorReading(world, key)))).join()).to.match(/^device: suspended at/);
    await world.registry.connect(maker).revokeDevice(lot.id, key.id);
    expect((await failing(await attached(await anchorReading(world, key)))).join()).to.match(/^device: revoked at/);
    expect((await verifyLight(json, { trusted })).holds).to.equal(true);
  });

  it("doesn't hold where a later block can't tell what the state was", async () => {
    const bare = await anchorReading(world, key);
    await world.registry.suspend(key.id);
    await world.registry.resume(key.id);
    expect((await failing(await attached(bare, await latest()))).join()).to.match(/can't tell what it was before/);
    expect(await failing(await attached(bare))).to.deep.equal([]);
  });

  it("fails by a block from before the entry", async () => {
    const { state } = await attached(await anchorReading(world, curve));
    const mine = await attached(await anchorReading(world, curve));
    expect((await failing({ ...mine, ...(state && { state }) })).join()).to.match(/older than the entry/);
  });

  it("holds for a later key by the entry's own block alone, and for the first key no longer", async () => {
    const next = keyOf("light, next", "p256");
    const signer = (of: DeviceKey) => toHex(signerOf(of, world.addresses));
    const digest = await world.registry.keyChangeDigest(key.id, signer(next), FAR);
    const [old, proof] = [key, next].map((one) => one.sign(Buffer.from(digest.slice(2), "hex")));
    await world.registry.rotateKey(key.id, signer(key), signer(next), FAR, old ?? "", proof ?? "");
    const mine = await anchorReading(world, next, { device: key.id });
    const first = await anchorReading(world, key);
    expect(await failing(await attached(mine))).to.deep.equal([]);
    expect((await failing(await attached(mine, await latest()))).join()).to.match(/since when this later key/);
    expect((await failing(await attached(first))).join()).to.match(/its key is of another kind/);
    const other = await anchorReading(world, keyOf("light, other", "p256"), { device: key.id });
    expect((await failing(await attached(other))).join()).to.match(/another key is the device's/);
  });

  it("says that a maker or a lot was revoked, and what assurance is left", async () => {
    await world.registry.connect(maker).lowerAssurance(lot.id, 1);
    await world.registry.revokeIssuer(maker.address);
    const mine = await attached(await anchorReading(world, curve));
    const { holds, findings } = await verifyLight(writeEvidence(mine), { trusted: hashOf(mine) });
    expect(holds).to.equal(true);
    expect(findings.find(({ what }) => what === "maker")?.detail).to.match(/assurance 1 .*revoked/);
  });

  it("holds whatever the device's clock said, and says that it was wrong", async () => {
    for (const [time, word] of [
      [0n, "1970-01-01"],
      [4_102_444_800n, "2100-01-01"],
      [2n ** 64n - 9n, "second 18446744073709551"],
    ] as const) {
      const mine = await attached(await anchorReading(world, key, { time }));
      const { holds, findings } = await verifyLight(writeEvidence(mine), { trusted: hashOf(mine) });
      const detail = findings.find(({ what }) => what === "time")?.detail;
      expect([holds, detail?.includes(word), detail?.includes("its clock is wrong")]).to.deep.equal([
        true,
        true,
        time > 0n,
      ]);
    }
  });

  it("fails when the contracts aren't those that the reader trusts", async () => {
    const contracts = { registry: world.addresses.DeviceRegistry, anchor: world.addresses.DataAnchor };
    expect((await verifyLight(json, { trusted, contracts })).holds).to.equal(true);
    const { holds } = await verifyLight(json, { trusted, contracts: { ...contracts, anchor: world.addresses.ITC } });
    expect(holds).to.equal(false);
  });

  it("fails for what the device said on another chain, and shows the bundle's chain without one to compare", async () => {
    const { chainId } = world;
    const { DeviceRegistry: registry, DataAnchor: anchor } = world.addresses;
    const digests = new Digests({ chainId: chainId + 1n, registry });
    const other = await attached(await anchorReading({ ...world, chainId: chainId + 1n, digests }, key));
    const trust = { trusted: hashOf(other), contracts: { registry, anchor } };
    const { findings } = await verifyLight(writeEvidence(other), trust);
    expect(findings.find(({ what }) => what === "chain")?.detail).to.match(/31338 \(as the bundle says\)/);
    const { findings: compared } = await verifyLight(writeEvidence(other), { ...trust, chainId });
    expect(compared.filter(({ holds }) => !holds).map(({ what }) => what)).to.deep.equal(["chain"]);
    expect((await verifyLight(json, { trusted, chainId })).holds).to.equal(true);
  });
});
