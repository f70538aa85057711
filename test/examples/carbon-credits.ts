import { readFile } from "node:fs/promises";
import { expect } from "chai";
import { reductionsOf } from "../../toolkit/analytics/carbon.js";
import { gasOf } from "../analytics/consenting.js";
import {
  DAY,
  expectedGrams,
  FACTOR,
  issue,
  type Ledger,
  type Measured,
  measured,
  projectOf,
  withProject,
} from "./carbon-rig.js";

describe("Carbon credits", () => {
  const suite = withProject();
  const { day, credit, refused } = suite;
  let stage: Ledger;

  before(() => {
    ({ stage } = suite.opened());
  });

  describe("what it costs", () => {
    it("is what docs/carbon.md says, to within bytes that happen to be 0", async () => {
      const page = await readFile(new URL("../../docs/carbon.md", import.meta.url), "utf8");
      const { ledger, owner } = stage;
      const words = projectOf(stage, { meters: 5n });
      const register = await gasOf(ledger.connect(owner).register(words));
      const first = await measured(stage, words, DAY);
      const figures = { register, issue: await gasOf(issue(stage, first)) };
      const token = await credit(first);
      const retire = () => gasOf(ledger.connect(owner).retire(token, 1000, "A flight of 2026"));
      for (const [name, gas] of Object.entries({ ...figures, retire: await retire(), more: await retire() })) {
        const said = new RegExp(`\\| \`${name}\` \\|.* ([\\d,]+) \\|$`, "m").exec(page)?.[1] ?? "";
        expect(Number(gas), name).to.be.closeTo(Number(said.replaceAll(",", "")), 400);
      }
    });
  });

  describe("reductionsOf", () => {
    it("agrees with long division at every scale, and at the ends of what there can be", async () => {
      const most = 2n ** 127n - 1n;
      for (let decimals = 0; decimals <= 18; decimals++) {
        for (const factor of [1n, FACTOR, 2n ** 64n - 1n]) {
          const words = projectOf(stage, { decimals, factor });
          for (const sum of [-most - 1n, -1n, 0n, 1n, 999_999n, 10n ** 24n - 1n, most]) {
            expect(await stage.ledger.reductionsOf(words, sum)).to.equal(expectedGrams(words, sum));
            expect(reductionsOf(words, sum)).to.equal(expectedGrams(words, sum));
          }
        }
      }
    });
  });

  describe("retire", () => {
    let made: Measured;
    let token: bigint;
    const retire = (amount: bigint, by = stage.owner, reason = "A flight of 2026") =>
      stage.ledger.connect(by).retire(token, amount, reason);

    beforeEach(async () => {
      made = await day();
      token = await credit(made);
      await issue(stage, made);
    });

    it("takes the holder's credits away for good, and counts them", async () => {
      await expect(retire(1000n))
        .to.emit(stage.ledger, "CreditsRetired")
        .withArgs(token, stage.owner.address, 1000, "A flight of 2026");
      await retire(756n);
      expect([...(await stage.ledger.supplyOf(token))]).to.deep.equal([made.amount, 1756n]);
      expect(await stage.ledger.balanceOf(stage.owner.address, token)).to.equal(10_000n);
    });

    it("takes credits of whoever got them by a transfer", async () => {
      const { ledger, owner, anyone } = stage;
      await ledger.connect(owner).safeTransferFrom(owner.address, anyone.address, token, 100, "0x");
      await retire(100n, anyone);
      expect([...(await ledger.supplyOf(token))]).to.deep.equal([made.amount, 100n]);
      expect(await ledger.balanceOf(owner.address, token)).to.equal(made.amount - 100n);
    });

    it("refuses more than the sender has, and nothing", async () => {
      const { anyone, owner } = stage;
      await refused(retire(1n, anyone), "ERC1155InsufficientBalance", anyone.address, 0, 1, token);
      const more = made.amount + 1n;
      await refused(retire(more), "ERC1155InsufficientBalance", owner.address, made.amount, more, token);
      await refused(retire(0n), "CarbonLedgerInvalidAmount", 0);
    });

    it("refuses credits that are retired already", async () => {
      const { ledger, owner, anyone } = stage;
      await retire(made.amount);
      await refused(retire(1n), "ERC1155InsufficientBalance", owner.address, 0, 1, token);
      const sent = ledger.connect(owner).safeTransferFrom(owner.address, anyone.address, token, 1, "0x");
      await refused(sent, "ERC1155InsufficientBalance", owner.address, 0, 1, token);
      await refused(issue(stage, made), "CarbonLedgerPeriodPast", made.asked.query.from, made.asked.query.to);
    });
  });
});
