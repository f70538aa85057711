import { readdir, readFile } from "node:fs/promises";
import { expect } from "chai";
import type { JsonFragment } from "ethers";
import * as bindings from "../../typechain-types/index.js";

const TESTS = new URL("../", import.meta.url);

describe("custom errors", () => {
  it("of our own are each provoked by a test", async () => {
    const files = (await readdir(TESTS, { recursive: true })).filter(
      (name) => name.endsWith(".ts") && !name.endsWith("errors.ts"),
    );
    const texts = await Promise.all(files.map((name) => readFile(new URL(name, TESTS), "utf8")));
    const named = texts.join("\n");
    const ours =
      /^(DeviceRegistry|DeviceKeys|LotBook|ClaimDesk|Attestations|Provenance|DataAnchor|DeviceFeed|FeedFactory|BandCover|Merkle|Analytics|ConsentRegistry|Holdings|DeviceRegions|Court|QuestionDesk|ResultTree|Partials|PartialVerifier|HyperLogLog|BloomFilter|ResultClaims|RewardSink|OwnerShares|PayoutLists|PayoutPool|PayoutRoller|CarbonLedger)[A-Z]/;
    const errors = new Set(
      Object.values(bindings).flatMap((binding) => {
        const abi: readonly JsonFragment[] = "abi" in binding ? binding.abi : [];
        return abi.filter(({ type, name }) => type === "error" && ours.test(name ?? "")).map(({ name }) => name ?? "");
      }),
    );
    expect(errors.size).to.be.greaterThan(40);
    expect([...errors].filter((name) => !named.includes(`"${name}"`)).sort()).to.deep.equal([]);
  });
});
