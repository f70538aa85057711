import { expect } from "chai";
import type { BaseContract, Signer } from "ethers";
import { highS } from "../identity/fleet.js";
import {
  consentingOwner,
  device,
  gasOf,
  keys,
  NO,
  PURPOSE,
  type SignedDecision,
  sibling,
  signatureOn,
  TERMS,
  UNLIMITED,
  unborn,
  yes,
} from "./consenting.js";

const OTHERS = { expiry: 3_000_000_000n, cohort: 50n, price: 1n, budget: 5_000_000n };
const LIMIT = { gasLimit: 500_000 };
const WINDOW = 2n ** 32n;
const [GRANT, GRANT_DEVICES, REVOKE, REVOKE_DEVICES, UNLIST] = [0, 1, 2, 3, 4];

describe("Consents", () => {
  const { world, now, later, mine, consentAt, transfer, inOneSecond } = consentingOwner();
  const consents = () => world().consents;
  const owner = () => world().owner;

  describe("grant, grantDevices, revoke, revokeDevices, unlistDevices", () => {
    it("a grant covers the seconds until its expiry, on its terms", async () => {
      const terms = { ...TERMS, expiry: (await now()) + 100n };
      await expect(mine().grant(PURPOSE, terms))
        .to.emit(consents(), "ConsentGranted")
        .withArgs(owner().address, PURPOSE, terms.expiry, 5n, 7n, 1_000_000n);
      const granted = await now();
      expect(await consentAt(granted - 1n)).to.deep.equal(NO);
      expect(await consentAt(granted)).to.deep.equal(yes());
      expect(await consentAt(granted, owner().address, sibling.id)).to.deep.equal(yes());
      expect(await consentAt(terms.expiry - 1n)).to.deep.equal(yes());
      expect(await consentAt(terms.expiry)).to.deep.equal(NO);
      expect(await consentAt(granted, world().buyer.address)).to.deep.equal(NO);
      const other = await consents().consentAt(owner().address, device, unborn.id.padEnd(66, "0"), granted);
      expect([...other]).to.deep.equal(NO);
      expect(await consents().generalWordOf(owner().address, PURPOSE)).to.deep.equal([
        1n,
        granted,
        Object.values(terms),
      ]);
      expect(await consents().holdings()).to.equal(world().addresses.Holdings);
    });

    it("a word on a listed device goes before the general one until it is taken back", async () => {
      await expect(mine().grantDevices(PURPOSE, [device], TERMS))
        .to.emit(consents(), "DevicesGranted")
        .withArgs(owner().address, PURPOSE, [device], TERMS.expiry, 5n, 7n, 1_000_000n);
      const listed = await now();
      expect(await consentAt(listed)).to.deep.equal(yes());
      expect(await consentAt(listed, owner().address, sibling.id)).to.deep.equal(NO);
      await mine().grant(PURPOSE, OTHERS);
      expect(await consentAt(await now())).to.deep.equal(yes());
      expect(await consentAt(await now(), owner().address, sibling.id)).to.deep.equal(yes(OTHERS));
      await expect(mine().revokeDevices(PURPOSE, [device]))
        .to.emit(consents(), "DevicesRevoked")
        .withArgs(owner().address, PURPOSE, [device]);
      const refused = await now();
      expect(await consentAt(refused)).to.deep.equal(NO);
      expect(await consentAt(refused, owner().address, sibling.id)).to.deep.equal(yes(OTHERS));
      await expect(mine().unlistDevices(PURPOSE, [device]))
        .to.emit(consents(), "DevicesUnlisted")
        .withArgs(owner().address, PURPOSE, [device]);
      expect(await consentAt(await now())).to.deep.equal(yes(OTHERS));
      expect(await consentAt(refused)).to.deep.equal(NO);
      expect(await consentAt(listed)).to.deep.equal(yes());
      const [word] = await consents().listedWordOf(owner().address, PURPOSE, device);
      expect(word).to.equal(0n);
    });

    it("a revocation counts at once, needs no consent, and leaves the past as it was", async () => {
      await mine().revoke(PURPOSE);
      await mine().grant(PURPOSE, TERMS);
      const granted = await now();
      await later();
      await expect(mine().revoke(PURPOSE)).to.emit(consents(), "ConsentRevoked").withArgs(owner().address, PURPOSE);
      const revoked = await now();
      await later();
      await mine().grant(PURPOSE, OTHERS);
      expect(await consentAt(granted - 1n)).to.deep.equal(NO);
      expect(await consentAt(granted)).to.deep.equal(yes());
      expect(await consentAt(revoked - 1n)).to.deep.equal(yes());
      expect(await consentAt(revoked)).to.deep.equal(NO);
      expect(await consentAt(await now())).to.deep.equal(yes(OTHERS));
      expect((await consents().generalWordOf(owner().address, PURPOSE)).word).to.equal(1n);
    });

    it("new terms hold from their second on", async () => {
      const seconds: bigint[] = [];
      for (let cohort = 1n; cohort <= 20n; cohort++) {
        await mine().grant(PURPOSE, { ...TERMS, cohort });
        seconds.push(await now());
        await later(3n);
      }
      for (const [k, second] of seconds.entries()) {
        for (const time of [second, second + 2n]) {
          expect(await consentAt(time)).to.deep.equal(yes({ ...TERMS, cohort: BigInt(k) + 1n }));
        }
      }
      expect(await consentAt((seconds[0] ?? 0n) - 1n)).to.deep.equal(NO);
    });

    it("the last word of a second is that second's", async () => {
      const first = await inOneSecond(
        () => mine().grant(PURPOSE, TERMS, LIMIT),
        () => mine().revoke(PURPOSE, LIMIT),
      );
      await later();
      const second = await inOneSecond(
        () => mine().revoke(PURPOSE, LIMIT),
        () => mine().grant(PURPOSE, TERMS, LIMIT),
        () => mine().grant(PURPOSE, OTHERS, LIMIT),
      );
      await later();
      await mine().revoke(PURPOSE);
      expect(await consentAt(first)).to.deep.equal(NO);
      expect(await consentAt(second - 1n)).to.deep.equal(NO);
      expect(await consentAt(second)).to.deep.equal(yes(OTHERS));
    });

    it("the widest terms that fit come back as they were, and wider ones are refused", async () => {
      const widest = { expiry: 2n ** 40n - 1n, cohort: 2n ** 24n - 1n, price: 2n ** 88n - 1n, budget: 2n ** 32n - 2n };
      for (const terms of [widest, { ...widest, budget: UNLIMITED }]) {
        await mine().grant(PURPOSE, terms);
        expect(await consentAt(await now())).to.deep.equal(yes(terms));
        const [, , told] = await consents().generalWordOf(owner().address, PURPOSE);
        expect([...told]).to.deep.equal(Object.values(terms));
      }
      const wider = [
        { expiry: widest.expiry + 1n },
        { cohort: widest.cohort + 1n },
        { price: widest.price + 1n },
        { budget: widest.budget + 1n },
        { budget: UNLIMITED - 1n },
      ];
      for (const change of wider) {
        const terms = { ...widest, ...change };
        await expect(mine().grant(PURPOSE, terms))
          .to.be.revertedWithCustomError(consents(), "ConsentRegistryTermsTooLarge")
          .withArgs(Object.values(terms));
      }
    });

    it("they refuse an expiry that is past, and empty lists", async () => {
      const expiry = await now();
      for (const call of [
        mine().grant(PURPOSE, { ...TERMS, expiry }),
        mine().grantDevices(PURPOSE, [device], { ...TERMS, expiry }),
      ]) {
        await expect(call).to.be.revertedWithCustomError(consents(), "ConsentRegistryExpiryPast").withArgs(expiry);
      }
      for (const call of [
        mine().grantDevices(PURPOSE, [], TERMS),
        mine().revokeDevices(PURPOSE, []),
        mine().unlistDevices(PURPOSE, []),
      ]) {
        await expect(call).to.be.revertedWithCustomError(consents(), "ConsentRegistryNoDevices").withArgs();
      }
    });

    it("a word on another's device counts for nothing, nor once it has come", async () => {
      const { buyer } = world();
      await consents().connect(buyer).grantDevices(PURPOSE, [device, unborn.id], TERMS);
      expect(await consentAt(await now(), buyer.address)).to.deep.equal(NO);
      await transfer();
      const sold = await now();
      expect(await consentAt(sold, buyer.address)).to.deep.equal(NO);
      expect((await consents().listedWordOf(buyer.address, PURPOSE, device)).word).to.equal(1n);
      await consents().connect(buyer).grantDevices(PURPOSE, [device], OTHERS);
      expect(await consentAt(await now(), buyer.address)).to.deep.equal(yes(OTHERS));
      expect(await consentAt(sold, buyer.address)).to.deep.equal(NO);
    });
  });

  describe("transfers", () => {
    const back = () => transfer(world().buyer, owner());
    const toItself = () => transfer(owner(), owner());

    it("a listed word ends with a transfer, also if the device comes back or stays", async () => {
      for (const move of [async () => [await transfer(), await back()], toItself]) {
        await mine().grantDevices(PURPOSE, [device], TERMS);
        expect(await consentAt(await now())).to.deep.equal(yes());
        await later();
        await move();
        expect(await consentAt(await now())).to.deep.equal(NO);
      }
      await mine().grant(PURPOSE, OTHERS);
      await mine().revokeDevices(PURPOSE, [device]);
      expect(await consentAt(await now())).to.deep.equal(NO);
      await later();
      await toItself();
      expect(await consentAt(await now())).to.deep.equal(yes(OTHERS));
    });

    it("a word in the second of a transfer counts as said after it", async () => {
      const list = () => mine().grantDevices(PURPOSE, [device], TERMS, LIMIT);
      for (const calls of [
        [toItself, list],
        [list, toItself],
      ]) {
        const second = await inOneSecond(...calls);
        expect(await consentAt(second - 1n)).to.deep.equal(NO);
        expect(await consentAt(second)).to.deep.equal(yes());
        await mine().unlistDevices(PURPOSE, [device]);
      }
    });

    it("the general word is for what its owner had, as far as that is known", async () => {
      const { buyer, holdings } = world();
      await mine().grant(PURPOSE, TERMS);
      await consents().connect(buyer).grant(PURPOSE, OTHERS);
      const before = await later();
      await holdings.note([device]);
      await transfer();
      const after = await later();
      expect(await consentAt(before)).to.deep.equal(yes());
      expect(await consentAt(before, buyer.address)).to.deep.equal(NO);
      expect(await consentAt(after)).to.deep.equal(NO);
      expect(await consentAt(after, buyer.address)).to.deep.equal(yes(OTHERS));
      // The buyer's tenure wasn't noted before it ended: now nobody can tell whose the device was.
      await back();
      expect(await consentAt(after)).to.deep.equal(yes());
      expect(await consentAt(after, buyer.address)).to.deep.equal(yes(OTHERS));
      expect(await consentAt(after, world().stranger.address)).to.deep.equal(NO);
    });

    it("where nobody knows whether a listed word had ended, the answer is the mildest that may be true", async () => {
      const mildest = yes({ ...TERMS, cohort: 5n, price: 1n, budget: 5_000_000n });
      const { holdings } = world();
      await mine().grant(PURPOSE, OTHERS);
      await mine().grantDevices(PURPOSE, [device], TERMS);
      await mine().revokeDevices(PURPOSE, [sibling.id]);
      const ended = await later();
      await holdings.note([device, sibling.id]);
      for (const of of [device, sibling.id]) await transfer(owner(), owner(), of);
      // Both listed words have ended, so the general one holds for this second.
      const second = await later();
      const answers = async (time: bigint) =>
        Promise.all([device, sibling.id].map((of) => consentAt(time, owner().address, of)));
      expect(await answers(second)).to.deep.equal([yes(OTHERS), yes(OTHERS)]);
      for (const of of [device, sibling.id]) await transfer(owner(), owner(), of);
      expect(await answers(second)).to.deep.equal([mildest, yes(OTHERS)]);
      expect(await answers(ended)).to.deep.equal([yes(), NO]);
    });
  });

  describe("decideFor", () => {
    async function decision(of: number, changes: object = {}) {
      const devices = of === GRANT || of === REVOKE ? [] : [device, sibling.id];
      const nonce = await consents().nonceOf(owner().address);
      const plain = { owner: owner().address, decision: of, purpose: PURPOSE, devices, terms: TERMS, nonce };
      return { ...plain, deadline: (await now()) + 1000n, ...changes };
    }

    const signatureOf = (signed: SignedDecision, by?: Signer) => signatureOn(world(), signed, by);

    const bring = async (signed: SignedDecision, signature?: string) =>
      consents()
        .connect(world().stranger)
        .decideFor(signed, signature ?? (await signatureOf(signed)));

    it("it does each decision, whoever brings it, with the digest that wallets sign", async () => {
      const steps: [number, string, unknown[], unknown[]][] = [
        [GRANT, "ConsentGranted", yes(), yes()],
        [REVOKE_DEVICES, "DevicesRevoked", NO, yes()],
        [UNLIST, "DevicesUnlisted", yes(), yes()],
        [REVOKE, "ConsentRevoked", NO, NO],
        [GRANT_DEVICES, "DevicesGranted", yes(), NO],
      ];
      for (const [of, event, listed, general] of steps) {
        const signed = await decision(of);
        await expect(bring(signed))
          .to.emit(consents(), event)
          .and.to.emit(consents(), "NonceRaised")
          .withArgs(owner().address, signed.nonce + 1n);
        expect(await consents().nonceOf(owner().address)).to.equal(signed.nonce + 1n);
        expect(await consentAt(await now())).to.deep.equal(listed);
        expect(await consentAt(await now(), owner().address, keys[2]?.id)).to.deep.equal(general);
      }
    });

    it("it asks an ERC-1271 owner", async () => {
      const wallet: BaseContract = await world().ethers.deployContract("MoodyWallet", [owner().address]);
      const address = await wallet.getAddress();
      const signed = await decision(GRANT, { owner: address, nonce: 0n });
      await bring(signed);
      const [word] = await consents().generalWordOf(address, PURPOSE);
      expect(word).to.equal(1n);
      const next = await decision(REVOKE, { owner: address, nonce: 1n });
      await expect(bring(next, await signatureOf(next, world().stranger)))
        .to.be.revertedWithCustomError(consents(), "ConsentRegistryInvalidSignature")
        .withArgs(address);
      await (await wallet.getFunction("setMood")(1)).wait();
      await expect(bring(next)).to.be.revertedWithCustomError(consents(), "ConsentRegistryInvalidSignature");
      await (await wallet.getFunction("setMood")(0)).wait();
      await bring(next);
      expect((await consents().generalWordOf(address, PURPOSE)).word).to.equal(2n);
    });

    it("it refuses what is late, used, changed, another's, or has s in the upper half", async () => {
      const signed = await decision(GRANT_DEVICES);
      const signature = await signatureOf(signed);
      const changes = [
        { owner: world().buyer.address },
        { decision: REVOKE_DEVICES },
        { purpose: unborn.id.padEnd(66, "0") },
        { devices: [device] },
        { devices: [sibling.id, device] },
        { terms: { ...TERMS, expiry: TERMS.expiry + 1n } },
        { terms: { ...TERMS, cohort: 4n } },
        { terms: { ...TERMS, price: 6n } },
        { terms: { ...TERMS, budget: UNLIMITED } },
        { nonce: signed.nonce + 1n },
        { deadline: signed.deadline + 1n },
      ];
      for (const change of changes) {
        const changed = { ...signed, ...change };
        await expect(bring(changed, signature))
          .to.be.revertedWithCustomError(consents(), "ConsentRegistryInvalidSignature")
          .withArgs(changed.owner);
      }
      for (const bad of [await signatureOf(signed, world().buyer), highS(signature, "secp256k1"), "0x"]) {
        await expect(bring(signed, bad)).to.be.revertedWithCustomError(consents(), "ConsentRegistryInvalidSignature");
      }
      await bring(signed, signature);
      await expect(bring(signed, signature))
        .to.be.revertedWithCustomError(consents(), "ConsentRegistryWrongNonce")
        .withArgs(owner().address, signed.nonce, signed.nonce + 1n);
      const late = await decision(REVOKE);
      const byNow = await signatureOf(late);
      await world().networkHelpers.time.setNextBlockTimestamp(late.deadline + 1n);
      await expect(bring(late, byNow))
        .to.be.revertedWithCustomError(consents(), "ConsentRegistryExpired")
        .withArgs(late.deadline);
    });

    it("it refuses a nonce from too far ahead, and devices where none are asked", async () => {
      const ahead = await decision(GRANT, { nonce: WINDOW });
      await expect(bring(ahead))
        .to.be.revertedWithCustomError(consents(), "ConsentRegistryWrongNonce")
        .withArgs(owner().address, WINDOW, 0n);
      await bring(await decision(GRANT, { nonce: WINDOW - 1n }));
      for (const of of [GRANT, REVOKE]) {
        await expect(bring(await decision(of, { devices: [device] })))
          .to.be.revertedWithCustomError(consents(), "ConsentRegistryDevicesNotAsked")
          .withArgs(1n);
      }
      await expect(bring(await decision(UNLIST, { devices: [] }))).to.be.revertedWithCustomError(
        consents(),
        "ConsentRegistryNoDevices",
      );
    });

    it("an older grant neither holds up a revocation nor follows it", async () => {
      const grants = [await decision(GRANT, { nonce: 3n }), await decision(GRANT, { nonce: 4n })] as const;
      const revocation = await decision(REVOKE, { nonce: 5n });
      await bring(grants[0]);
      await bring(revocation);
      expect(await consentAt(await now())).to.deep.equal(NO);
      await expect(bring(grants[1]))
        .to.be.revertedWithCustomError(consents(), "ConsentRegistryWrongNonce")
        .withArgs(owner().address, 4n, 6n);
    });

    it("a revocation by transaction voids all that was signed", async () => {
      for (const revoke of [() => mine().revoke(PURPOSE), () => mine().revokeDevices(PURPOSE, [device])]) {
        const nonce = await consents().nonceOf(owner().address);
        const signed = await decision(GRANT, { nonce: nonce + WINDOW - 1n });
        await expect(revoke())
          .to.emit(consents(), "NonceRaised")
          .withArgs(owner().address, nonce + WINDOW);
        await expect(bring(signed)).to.be.revertedWithCustomError(consents(), "ConsentRegistryWrongNonce");
      }
      await bring(await decision(GRANT));
    });
  });

  describe("gas", () => {
    it("a first grant writes one slot", async () => {
      const first = await gasOf(mine().grant(PURPOSE, TERMS));
      const second = await gasOf(mine().grant(PURPOSE, OTHERS));
      const ids = keys.slice(0, 10).map(({ id }) => id);
      const ten = await gasOf(mine().grantDevices(PURPOSE, ids, TERMS));
      const refused = await gasOf(mine().revokeDevices(PURPOSE, ids));
      expect(refused).to.be.lessThan(21_000n + 10n * 27_100n + 22_100n + 25_000n);
      // 21,000 for the transaction and 22,100 for each slot that was empty.
      expect(first).to.be.lessThan(21_000n + 22_100n + 10_000n);
      expect(ten).to.be.lessThan(21_000n + 10n * 22_100n + 30_000n);
      expect(second).to.be.lessThan(21_000n + 22_100n + 5000n + 10_000n);
    });
  });
});
