import { expect } from "chai";
import { id, ZeroAddress, ZeroHash } from "ethers";
import type { CarbonProject } from "../../toolkit/analytics/carbon.js";
import { Operation } from "../../toolkit/analytics/query.js";
import { cellOfGeohash } from "../../toolkit/analytics/regions.js";
import type { Changes } from "../analytics/market.js";
import { consent, HOUR, passWindow, propose, provedLeaf, readingsOf, treeOf } from "../analytics/market.js";
import {
  askFor,
  attest,
  DAY,
  expectedGrams,
  FACTOR,
  GRACE,
  idOfProject,
  issue,
  type Ledger,
  measured,
  projectOf,
  registered,
  result,
  withProject,
} from "./carbon-rig.js";

const LEAST = -(2n ** 63n);

describe("Carbon ledger", () => {
  const suite = withProject();
  const { day, credit, refused } = suite;
  let stage: Ledger;
  let project: CarbonProject;

  before(() => {
    ({ stage, project } = suite.opened());
  });

  describe("register", () => {
    it("keeps the hash of the words, of this chain and ledger, for their owner", async () => {
      const words = projectOf(stage, { meters: 5n });
      const hash = idOfProject(stage, words);
      expect(await stage.ledger.projectIdOf(words)).to.equal(hash);
      expect([...(await stage.ledger.stateOf(hash))]).to.deep.equal([false, 0n]);
      await expect(stage.ledger.connect(stage.owner).register(words))
        .to.emit(stage.ledger, "ProjectRegistered")
        .withArgs(hash, stage.owner.address, stage.verifier.address, (said: { meters: bigint }) => said.meters === 5n);
      expect([...(await stage.ledger.stateOf(hash))]).to.deep.equal([true, 0n]);
    });

    it("refuses the same words twice, and takes them with any change", async () => {
      await refused(registered(stage), "CarbonLedgerRegistered", idOfProject(stage, project));
      await registered(stage, { grace: 0n });
    });

    it("refuses words that make no project", async () => {
      const { owner } = stage;
      const { filter } = project;
      const cases: [Partial<CarbonProject>, string, ...unknown[]][] = [
        [{ verifier: ZeroAddress }, "CarbonLedgerInvalidVerifier", ZeroAddress],
        [{ verifier: owner.address }, "CarbonLedgerInvalidVerifier", owner.address],
        [{ analytics: owner.address }, "CarbonLedgerInvalidAnalytics", owner.address],
        [{ filter: { ...filter, lot: ZeroHash } }, "CarbonLedgerInvalidFilter"],
        [{ meters: 0n }, "CarbonLedgerInvalidMeters", 0],
        [{ factor: 0n }, "CarbonLedgerInvalidFactor", 0, 3],
        [{ decimals: 19 }, "CarbonLedgerInvalidFactor", FACTOR, 19],
      ];
      for (const [changes, error, ...args] of cases) await refused(registered(stage, changes), error, ...args);
      await registered(stage, { decimals: 18 });
    });

    it("refuses a query that could leave readings out, or that names a time", async () => {
      for (const wrong of [
        { operation: Operation.Mean },
        { size: 1 },
        { hashes: 1 },
        { lower: LEAST + 1n },
        { upper: 0n },
        { cap: 2n ** 32n - 2n },
        { from: 1n },
        { to: 1n },
        { anchoredBy: 1n },
      ]) {
        await refused(registered(stage, { query: { ...project.query, ...wrong } }), "CarbonLedgerInvalidQuery");
      }
      await registered(stage, { query: { ...project.query, upper: 1n } });
    });

    it("refuses a project in another's name", async () => {
      const { owner, anyone, ledger } = stage;
      const words = projectOf(stage, { meters: 5n });
      const call = ledger.connect(anyone).register(words);
      await refused(call, "CarbonLedgerNotOwner", owner.address, anyone.address);
    });
  });

  describe("issue", () => {
    it("gives the owner a gram for each gram that the sum avoids, rounded down, whoever sends it", async () => {
      const made = await day();
      expect([made.sum, made.amount]).to.deep.equal([28_501n, 11_756n]);
      const { from, to } = made.asked.query;
      const sent = issue(stage, made);
      await expect(sent)
        .to.emit(stage.ledger, "CreditsIssued")
        .withArgs(await credit(made), made.project, made.request, from, to, made.sum, made.amount);
      expect(await stage.ledger.balanceOf(stage.owner.address, await credit(made))).to.equal(made.amount);
      expect([...(await stage.ledger.supplyOf(await credit(made)))]).to.deep.equal([made.amount, 0n]);
      expect([...(await stage.ledger.stateOf(made.project))]).to.deep.equal([true, to]);
    });

    it("counts what meters take back against what they give", async () => {
      const made = await measured(stage, project, [...DAY.slice(0, 5), [3000n, -2500n]]);
      expect([made.sum, made.amount]).to.deep.equal([26_001n, 10_725n]);
      await issue(stage, made);
      expect(await stage.ledger.balanceOf(stage.owner.address, await credit(made))).to.equal(made.amount);
    });

    it("takes the word of a verifier that is a contract, and no other word for it", async () => {
      const wallet = await stage.ethers.deployContract("MoodyWallet", [stage.verifier.address]);
      const verifier = await wallet.getAddress();
      const made = await measured(stage, await registered(stage, { verifier }), DAY);
      const other = await attest(stage, made, { by: stage.anyone });
      await refused(issue(stage, made, other), "CarbonLedgerInvalidAttestation", verifier);
      await wallet.getFunction("setMood")(1);
      await refused(issue(stage, made), "CarbonLedgerInvalidAttestation", verifier);
      await wallet.getFunction("setMood")(0);
      await issue(stage, made);
    });

    it("takes a period that begins where the last one ended", async () => {
      const first = await day();
      await issue(stage, first);
      const { to } = first.asked.query;
      const second = await day({ query: { from: to, to: to + 10n } });
      await issue(stage, second);
      expect(await credit(first)).not.to.equal(await credit(second));
    });

    it("takes a filter by region", async () => {
      const region = cellOfGeohash("u33");
      for (const [k, owner] of stage.owners.entries()) {
        const devices = [k, k + 3].map((which) => stage.keys[which]?.id ?? "");
        await stage.world.regions.connect(owner).place(devices, cellOfGeohash("u33d"));
      }
      const words = await registered(stage, { filter: { ...project.filter, lot: ZeroHash, region } });
      await issue(stage, await measured(stage, words, DAY));
    });

    it("refuses a project that isn't registered, or with other words", async () => {
      const made = await day();
      const words = { ...project, factor: 2n * FACTOR };
      const call = issue(stage, { ...made, words, amount: expectedGrams(words, made.sum) });
      await refused(call, "CarbonLedgerNotRegistered", idOfProject(stage, words));
    });

    it("refuses a result twice, and another request for the same period or a part of it", async () => {
      const made = await day();
      const { from, to } = made.asked.query;
      const others = [];
      for (const query of [
        { from, to },
        { from: to - 1n, to: to + 60n },
        { from: from - 60n, to: from - 10n },
      ]) {
        others.push(await day({ query, terms: { reward: 999n * 10n ** 18n } }));
      }
      await issue(stage, made);
      for (const again of [made, ...others]) {
        await refused(issue(stage, again), "CarbonLedgerPeriodPast", again.asked.query.from, to);
      }
    });

    it("refuses a request that doesn't name the project", async () => {
      const made = await day({ salt: id("another") });
      const call = issue(stage, { ...made, project: idOfProject(stage, project) });
      await refused(call, "CarbonLedgerOtherProject", idOfProject(stage, project), id("another"));
      const rival = await registered(stage, { grace: 0n });
      const hash = idOfProject(stage, rival);
      const theirs = await day();
      const taken = issue(stage, { ...theirs, words: rival, project: hash });
      await refused(taken, "CarbonLedgerOtherProject", hash, theirs.project);
    });

    it("refuses a request for anything but the project's query, filter and purpose", async () => {
      const other = id("Anything else");
      for (const owner of stage.owners) await consent(stage.world, owner, {}, other);
      const cases: Changes[] = [
        { query: { schema: stage.ethers.getBytes(id("heat")) } },
        { query: { lower: 0n } },
        { query: { upper: 10n } },
        { query: { cap: 1n } },
        { filter: { lot: ZeroHash } },
        { filter: { region: cellOfGeohash("u33") } },
        { filter: { assurance: 1 } },
        { filter: { verifier: stage.anyone.address } },
        { purpose: other },
      ];
      const hash = idOfProject(stage, project);
      for (const changes of cases) {
        const made = await result(stage, project, await askFor(stage, project, changes), DAY.flat());
        await refused(issue(stage, made), "CarbonLedgerOtherQuestion", hash);
      }
      const mean = await askFor(stage, project, { query: { operation: Operation.Mean } });
      await refused(issue(stage, await result(stage, project, mean, [])), "CarbonLedgerOtherQuestion", hash);
    });

    it("refuses a request with noise", async () => {
      const made = await day({ terms: { epsilon: 1n } });
      await refused(issue(stage, made), "CarbonLedgerNotExact", 1);
    });

    it("refuses a request whose readings had less than the grace to be anchored, and takes its last second", async () => {
      const from = await suite.now();
      const earliest = from + HOUR + GRACE;
      const query = { from, to: from + HOUR };
      const early = await day({ query: { ...query, anchoredBy: earliest - 1n } });
      await refused(issue(stage, early), "CarbonLedgerAnchoredTooEarly", earliest - 1n, earliest);
      await issue(stage, await day({ query: { ...query, anchoredBy: earliest } }));
    });

    it("refuses a result before it is final", async () => {
      const { market } = stage;
      const request = await askFor(stage, project);
      const made = await result(stage, project, request, DAY.flat());
      await refused(issue(stage, made), "CarbonLedgerNotFinal", made.request);
      const leaves = DAY.map((values, k) => {
        const kept = readingsOf(market, request, stage.keys[k] as (typeof stage.keys)[0], values);
        return provedLeaf(request, stage.owners[k % 3]?.address ?? "", kept);
      });
      await propose(market, request, treeOf(request, leaves));
      await refused(issue(stage, made), "CarbonLedgerNotFinal", made.request);
      await passWindow(market);
      await market.analytics.finalise(request);
      await issue(stage, made);
    });

    it("refuses a result of fewer meters than the project has", async () => {
      const made = await measured(stage, project, [...DAY.slice(0, 5), []]);
      await refused(issue(stage, made), "CarbonLedgerTooFewMeters", 5, 6);
    });

    it("refuses a sum that is negative, nothing, or less than a gram", async () => {
      for (const last of [-4n, -3n, -1n]) {
        const made = await measured(stage, project, [[1n], [1n], [1n], [0n], [0n], [last]]);
        expect([made.sum, made.amount]).to.deep.equal([last + 3n, 0n]);
        await refused(issue(stage, made), "CarbonLedgerNoReductions", last + 3n);
      }
      await issue(stage, await measured(stage, project, [[1n], [1n], [1n], [0n], [0n], [0n]]));
    });

    it("refuses an attestation that has expired, and takes its last second", async () => {
      const made = await day();
      const signature = await attest(stage, made);
      const snapshot = await stage.networkHelpers.takeSnapshot();
      await stage.networkHelpers.time.increaseTo(made.deadline);
      await refused(issue(stage, made, signature), "CarbonLedgerExpired", made.deadline);
      await snapshot.restore();
      await stage.networkHelpers.time.increaseTo(made.deadline - 1n);
      await issue(stage, made, signature);
      expect(await suite.now()).to.equal(made.deadline);
    });

    it("refuses an attestation by anyone else, or of other numbers", async () => {
      const made = await day();
      const { verifier, owner, anyone } = stage;
      const wrong = [
        await attest(stage, made, { by: owner }),
        await attest(stage, made, { by: anyone }),
        await attest(stage, { ...made, sum: made.sum + 1n }),
        await attest(stage, { ...made, amount: made.amount + 1n }),
        await attest(stage, { ...made, deadline: made.deadline + 1n }),
        "0x",
      ];
      for (const signature of wrong) {
        await refused(issue(stage, made, signature), "CarbonLedgerInvalidAttestation", verifier.address);
      }
    });

    it("refuses an attestation for another request, project, chain or ledger", async () => {
      const [verifier, made] = [stage.verifier.address, await day()];
      const deadline = made.deadline + 1000n * HOUR;
      const first = { ...made, deadline };
      const signature = await attest(stage, first);
      await issue(stage, first, signature);
      const second = { ...(await day()), deadline };
      expect([second.sum, second.amount]).to.deep.equal([made.sum, made.amount]);
      await refused(issue(stage, second, signature), "CarbonLedgerInvalidAttestation", verifier);
      const theirs = { ...(await measured(stage, await registered(stage, { grace: 0n }), DAY)), deadline };
      await refused(issue(stage, theirs, signature), "CarbonLedgerInvalidAttestation", verifier);
      const elsewhere = [
        await attest(stage, { ...second, project: theirs.project }),
        await attest(stage, second, { chainId: stage.chainId + 1n }),
        await attest(stage, second, { ledger: stage.addresses.BandCover }),
      ];
      for (const one of elsewhere) {
        await refused(issue(stage, second, one), "CarbonLedgerInvalidAttestation", verifier);
      }
      await issue(stage, second);
      await issue(stage, theirs);
    });

    it("refuses to give credits to a contract that takes none, and leaves the period open", async () => {
      const { ethers, networkHelpers, ledger } = stage;
      const owner = stage.addresses.BandCover;
      await networkHelpers.setBalance(owner, 10n ** 18n);
      await networkHelpers.impersonateAccount(owner);
      const words = projectOf(stage, { owner });
      await ledger.connect(await ethers.getSigner(owner)).register(words);
      const made = await measured(stage, words, DAY);
      await refused(issue(stage, made), "ERC1155InvalidReceiver", owner);
      expect([...(await ledger.stateOf(made.project))]).to.deep.equal([true, 0n]);
    });
  });
});
