import { readFile } from "node:fs/promises";
import { expect } from "chai";
import { AbiCoder, type ContractTransactionResponse, keccak256 } from "ethers";
import { logSlots } from "../../toolkit/anchoring/registry-layout.js";
import { TRUST_TIERS } from "../../toolkit/identity/attestation.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { keyOf } from "../identity/fleet.js";
import type { Deployed } from "../support.js";
import { Feeders } from "./feeders.js";
import { entryOf, Publishers } from "./publishers.js";

const secure = keyOf("dearest", "p256");
/** The 2^32nd entry: all peaks below are read, and one is written where none was. */
const FULL = 2n ** 32n - 1n;

/** What the table of docs/gas.md says for a call. */
async function limitOf(call: string): Promise<bigint> {
  const page = await readFile(new URL("../../docs/gas.md", import.meta.url), "utf8");
  const row = page.split("\n").find((line) => line.startsWith(`| \`${call}\` |`));
  return BigInt((row?.split("|")[2] ?? "").replaceAll(",", "").trim());
}

async function gasOf(sent: Promise<ContractTransactionResponse>): Promise<bigint> {
  return (await (await sent).wait())?.gasUsed ?? 0n;
}

/** Puts a log of `FULL` entries into storage; what its peaks are doesn't matter to the gas. */
async function plant({ networkHelpers, addresses }: Deployed, publisher: string): Promise<void> {
  const { head, peak } = logSlots(publisher);
  const write = (slot: bigint, value: bigint) => networkHelpers.setStorageAt(addresses.DataAnchor, slot, value);
  await write(head, (1_700_000_000n << 64n) | FULL);
  for (let height = 0; height < 32; height++) {
    await write(peak(height), BigInt(keccak256(AbiCoder.defaultAbiCoder().encode(["uint256"], [height]))));
  }
}

describe("Gas limits that firmware can fix", () => {
  it("is enough for the dearest append by an account", async () => {
    const { world, maker } = await Publishers.of([secure]);
    await plant(world, maker.address);
    const gas = await gasOf(world.anchor.connect(maker).append(maker.address, FULL, entryOf(0)));
    expect(gas).to.be.lessThan(await limitOf("DataAnchor.append"));
  });

  it("is enough for the dearest relayed append, with a P-256 signature", async () => {
    const publishers = await Publishers.of([secure]);
    await plant(publishers.world, secure.id);
    expect(await gasOf(publishers.relay(secure, FULL, entryOf(0)))).to.be.lessThan(
      await limitOf("DataAnchor.appendFor"),
    );
  });

  it("is enough for the dearest push to a feed", async () => {
    const others = Array.from({ length: 15 }, (_, k) => keyOf(`one of sixteen ${k}`));
    const chain = await Feeders.of([secure, ...others]);
    const verifier = chain.account(1);
    const attestations = chain.world.attestations.connect(verifier);
    await attestations.addReference(secretOf(1, "firmware"), "1.0");
    const expiry = (await chain.now()) + 86_400n;
    for (const { id } of [secure, ...others])
      await attestations.attest(id, 1, TRUST_TIERS.affirming, expiry, secretOf(1, "token"));
    const rules = { quorum: 16, level: 2, verifier: await verifier.getAddress() };
    const feed = await chain.create([secure, ...others], rules);
    // In descending order, so that sorting moves each; the last makes the first round of all.
    for (const [k, key] of others.entries()) await chain.pushNow(feed, key, 0n, 1_000n - BigInt(k));
    const time = await chain.after();
    const gas = await gasOf(chain.push(feed, secure, { sequence: 0n, time, value: 0n }));
    expect(await feed.latestRound()).to.equal(1n);
    expect(gas).to.be.lessThan(await limitOf("DeviceFeed.push"));
  });
});
