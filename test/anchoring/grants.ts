import { expect } from "chai";
import type { BaseContract, Signer } from "ethers";
import {
  GrantError,
  grantDigest,
  grantTypedData,
  type KeyGrant,
  type OwnerMessage,
  readOwnerMessage,
  writeOwnerMessage,
} from "../../toolkit/anchoring/grant-messages.js";
import { GrantBook } from "../../toolkit/anchoring/grants.js";
import type { EcPrivateJwk, EcPublicJwk } from "../../toolkit/anchoring/jwe.js";
import { jwkOfSecret, openSealed, seal, thumbprintOf } from "../../toolkit/anchoring/sealing.js";
import { fromHex, toHex } from "../../toolkit/internal/bytes.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { activeLot, highS, keyOf } from "../identity/fleet.js";
import { type Deployed, deployed } from "../support.js";

const key = keyOf("grants");
const unborn = keyOf("grants, never active");
const inWallet = keyOf("grants, owned by a contract");
const publicOf = ({ d: _secret, ...rest }: EcPrivateJwk): EcPublicJwk => rest;
const [clinic, lab] = ["clinic", "lab"].map((label) => jwkOfSecret(fromHex(secretOf(1, label)))) as [
  EcPrivateJwk,
  EcPrivateJwk,
];

describe("Key grants", () => {
  let world: Deployed;
  let book: GrantBook;
  let wallet: BaseContract;
  let restore: () => Promise<void>;
  const owner = () => world.accounts[3] ?? world.operator;
  const buyer = () => world.accounts[4] ?? world.operator;
  const domain = () => ({ chainId: world.chainId, registry: world.addresses.DeviceRegistry });
  const newBook = () => new GrantBook(world.ethers.provider, domain());

  async function signed(message: Omit<OwnerMessage, "signature">, by: Signer): Promise<OwnerMessage> {
    const signature = fromHex(await by.signTypedData(...grantTypedData(domain(), message)));
    return { ...message, signature } as OwnerMessage;
  }

  async function grant(to: EcPrivateJwk, number: bigint, changes: Partial<KeyGrant> = {}, by: Signer = owner()) {
    const says = { device: key.id, recipient: await thumbprintOf(to), from: 100n, until: 200n, number, ...changes };
    return signed({ kind: "grant", says, key: publicOf(to) } as Omit<OwnerMessage, "signature">, by);
  }

  async function revocation(of: EcPrivateJwk, number: bigint, from: bigint, by: Signer = owner()) {
    return signed(
      { kind: "revocation", says: { device: key.id, recipient: await thumbprintOf(of), from, number } },
      by,
    );
  }

  async function refusal(act: Promise<unknown>): Promise<string> {
    try {
      await act;
      return "none";
    } catch (error) {
      return error instanceof GrantError ? error.code : `not ours: ${error}`;
    }
  }

  const readers = async (time: bigint, of = book) => {
    const names = new Map([clinic, lab].map((jwk) => [jwk.x, jwk === clinic ? "clinic" : "lab"]));
    return (await of.recipients(key.id, time)).map(({ x }) => names.get(x)).sort();
  };

  before(async () => {
    world = await deployed();
    await activeLot(world, [key, inWallet], { unborn: [unborn], owner: owner().address });
    wallet = await world.ethers.deployContract("MoodyWallet", [owner().address]);
    await world.registry.connect(owner()).transferFrom(owner().address, wallet, inWallet.id);
  });

  beforeEach(async () => {
    const snapshot = await world.networkHelpers.takeSnapshot();
    restore = () => snapshot.restore();
    book = newBook();
  });

  afterEach(() => restore());

  it("hold from their first second to before their last, for who they name", async () => {
    await book.accept(await grant(clinic, 0n));
    await book.accept(await grant(lab, 1n, { from: 150n, until: 300n }));
    const times = [99n, 100n, 149n, 150n, 199n, 200n, 299n, 300n];
    expect(await Promise.all(times.map((time) => readers(time)))).to.deep.equal([
      [],
      ["clinic"],
      ["clinic"],
      ["clinic", "lab"],
      ["clinic", "lab"],
      ["lab"],
      ["lab"],
      [],
    ]);
    expect(await book.recipients(unborn.id, 150n)).to.deep.equal([]);
  });

  it("name a recipient once, however often", async () => {
    for (let number = 0n; number < 3n; number++) await book.accept(await grant(clinic, number));
    expect(await readers(150n)).to.deep.equal(["clinic"]);
  });

  it("are revoked for what is sealed from then on, and what was sealed before stays readable", async () => {
    await book.accept(await grant(clinic, 0n));
    const early = await seal(Buffer.from("early"), await book.recipients(key.id, 120n));
    await book.accept(await revocation(clinic, 1n, 150n));
    expect([await readers(149n), await readers(150n), await readers(199n)]).to.deep.equal([["clinic"], [], []]);
    await book.accept(await grant(lab, 2n));
    const late = await seal(Buffer.from("late"), await book.recipients(key.id, 150n));
    expect(Buffer.from((await openSealed(early.jwe, clinic, early.content)).plaintext).toString()).to.equal("early");
    const closed: unknown = await openSealed(late.jwe, clinic, late.content).catch((error: unknown) => error);
    expect(closed).to.have.property("code", "ITC_SEAL_NO_ACCESS");
    // A later revocation doesn't open what an earlier one has closed; a later grant does.
    await book.accept(await revocation(clinic, 3n, 180n));
    expect(await readers(160n)).to.deep.equal(["lab"]);
    await book.accept(await grant(clinic, 4n));
    expect(await readers(160n)).to.deep.equal(["clinic", "lab"]);
  });

  it("end when the device has another owner, and don't come back with it", async () => {
    await book.accept(await grant(clinic, 0n));
    await world.registry.connect(owner()).transferFrom(owner().address, buyer().address, key.id);
    expect(await readers(150n)).to.deep.equal([]);
    expect(await refusal(book.accept(await grant(lab, 1n)))).to.equal("ITC_GRANT_NUMBER");
    expect(await refusal(book.accept(await grant(lab, 0n)))).to.equal("ITC_GRANT_SIGNATURE");
    await book.accept(await grant(lab, 0n, {}, buyer()));
    expect(await readers(150n)).to.deep.equal(["lab"]);
    await world.registry.connect(buyer()).transferFrom(buyer().address, owner().address, key.id);
    expect(await readers(150n)).to.deep.equal([]);
    expect(await refusal(book.accept(await grant(clinic, 0n))), "an old list").to.equal("ITC_GRANT_NUMBER");
    await book.accept(await grant(clinic, 1n));
    expect(await readers(150n)).to.deep.equal(["clinic"]);
  });

  it("end when the device goes and comes back within what the book hasn't looked at", async () => {
    await book.accept(await grant(clinic, 0n));
    await world.registry.connect(owner()).transferFrom(owner().address, buyer().address, key.id);
    await world.registry.connect(buyer()).transferFrom(buyer().address, owner().address, key.id);
    expect(await readers(150n)).to.deep.equal([]);
  });

  it("are taken once, in order, with none left out", async () => {
    const [first, second, third] = [await grant(clinic, 0n), await revocation(clinic, 1n, 0n), await grant(lab, 2n)];
    for (const early of [second, third]) expect(await refusal(book.accept(early))).to.equal("ITC_GRANT_NUMBER");
    await book.accept(first);
    expect(await refusal(book.accept(first))).to.equal("ITC_GRANT_NUMBER");
    expect(await refusal(book.accept(third)), "the revocation is left out").to.equal("ITC_GRANT_NUMBER");
    await book.accept(second);
    await book.accept(third);
    expect(await refusal(book.accept(first)), "the old list").to.equal("ITC_GRANT_NUMBER");
    expect(await readers(150n)).to.deep.equal(["lab"]);
  });

  it("are taken once when they come at the same time", async () => {
    const [one, other] = [await grant(clinic, 0n), await grant(lab, 0n)];
    expect(await Promise.all([one, other, one].map((message) => refusal(book.accept(message))))).to.deep.equal([
      "none",
      "ITC_GRANT_NUMBER",
      "ITC_GRANT_NUMBER",
    ]);
    expect(book.accepted.length).to.equal(1);
  });

  it("are refused when the owner hasn't signed them as they are", async () => {
    const right = await grant(clinic, 0n);
    const refused = async (message: OwnerMessage, code = "ITC_GRANT_SIGNATURE") =>
      expect(await refusal(book.accept(message))).to.equal(code);
    await refused(await grant(clinic, 0n, {}, buyer()));
    await refused({ ...right, says: { ...right.says, until: 201n } } as OwnerMessage);
    await refused({ ...right, says: { ...right.says, from: 0n } } as OwnerMessage);
    await refused({ ...right, signature: fromHex(highS(toHex(right.signature), "secp256k1")) });
    for (const length of [0, 64, 66, 1000]) await refused({ ...right, signature: new Uint8Array(length) });
    await refused({ ...right, key: publicOf(lab) } as OwnerMessage, "ITC_GRANT_KEY");
    await refused({ ...right, says: { ...right.says, device: unborn.id } } as OwnerMessage, "ITC_GRANT_NO_DEVICE");
    // A revocation's signature isn't a grant's, nor does one for another chain or registry count.
    const { signature } = await revocation(clinic, 0n, 100n);
    await refused({ ...right, signature });
    for (const other of [
      { ...domain(), chainId: 1n },
      { ...domain(), registry: world.addresses.ITC },
    ]) {
      await refused({ ...right, signature: fromHex(await owner().signTypedData(...grantTypedData(other, right))) });
    }
    expect(book.accepted).to.deep.equal([]);
    await book.accept(right);
  });

  it("are signed for a contract by whom it says, and by nobody when it answers badly", async () => {
    const device = inWallet.id;
    const setMood = (mood: number) => wallet.getFunction("setMood")(mood);
    const right = await grant(clinic, 0n, { device });
    for (const mood of [1, 2, 3, 4, 5]) {
      await setMood(mood);
      expect([mood, await refusal(book.accept(right))]).to.deep.equal([mood, "ITC_GRANT_SIGNATURE"]);
    }
    await setMood(0);
    expect(await refusal(book.accept(await grant(clinic, 0n, { device }, buyer())))).to.equal("ITC_GRANT_SIGNATURE");
    await book.accept(right);
    expect((await book.recipients(device, 150n)).length).to.equal(1);
  });

  it("are kept for a book that comes after", async () => {
    await book.accept(await grant(clinic, 0n));
    await book.accept(await revocation(clinic, 1n, 150n));
    await book.accept(await grant(lab, 2n));
    const next = new GrantBook(world.ethers.provider, domain(), book.accepted);
    for (const time of [120n, 150n]) expect(await readers(time, next)).to.deep.equal(await readers(time));
    expect(await refusal(next.accept(await grant(lab, 2n)))).to.equal("ITC_GRANT_NUMBER");
    await next.accept(await grant(clinic, 3n));
    expect([next.accepted.length, book.accepted.length]).to.deep.equal([4, 3]);
  });

  it("give no keys when the node doesn't answer", async () => {
    await book.accept(await grant(clinic, 0n));
    const silent = new Proxy(world.ethers.provider, {
      get: (target, name) =>
        name === "getBlockNumber" ? () => Promise.reject(new Error("down")) : Reflect.get(target, name),
    });
    const next = new GrantBook(silent, domain(), book.accepted);
    expect(await refusal(next.recipients(key.id, 150n))).to.equal("not ours: Error: down");
    expect(await refusal(next.accept(await grant(lab, 1n)))).to.equal("not ours: Error: down");
  });

  it("travel as JSON, and nothing else is read", async () => {
    for (const message of [await grant(clinic, 0n), await revocation(lab, 1n, 5n)]) {
      const json = writeOwnerMessage(message);
      expect(readOwnerMessage(json)).to.deep.equal(message);
      expect(toHex(grantDigest(domain(), readOwnerMessage(json)))).to.equal(toHex(grantDigest(domain(), message)));
      const plain = JSON.parse(json);
      const wrong: unknown[] = [
        ...Object.keys(plain).map((name) => ({ ...plain, [name]: undefined })),
        ...Object.keys(plain.says).map((name) => ({ ...plain, says: { ...plain.says, [name]: undefined } })),
        { ...plain, extra: 1 },
        { ...plain, says: { ...plain.says, extra: 1 } },
        { ...plain, kind: "gift" },
        { ...plain, signature: "0x0" },
        { ...plain, says: { ...plain.says, from: (2n ** 64n).toString() } },
        { ...plain, says: { ...plain.says, from: 1 } },
        { ...plain, says: { ...plain.says, device: "0x12" } },
      ];
      for (const value of wrong) {
        const read = Promise.resolve(JSON.stringify(value)).then(readOwnerMessage);
        expect(await refusal(read), JSON.stringify(value)).to.equal("ITC_GRANT_MALFORMED");
      }
    }
    for (const json of ["", "[]", "null", "[".repeat(60_000), "x".repeat(1_000_000)]) {
      expect(await refusal(Promise.resolve(json).then(readOwnerMessage))).to.equal("ITC_GRANT_MALFORMED");
    }
  });
});
