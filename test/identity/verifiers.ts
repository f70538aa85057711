import { constants, createHash, generateKeyPairSync, type KeyObject, privateEncrypt, sign } from "node:crypto";
import { expect } from "chai";
import { AbiCoder, type BytesLike, hexlify, ZeroAddress } from "ethers";
import { concat, fromHex, keccak256, toHex, uintBytes } from "../../toolkit/internal/bytes.js";
import { type Deployed, deployed } from "../support.js";
import { keyOf } from "./fleet.js";
import { digitsOf, stepOf, WotsKey } from "./wots.js";

const YES = "0x024ad318";
const NO = "0xffffffff";
const hash = keccak256(new TextEncoder().encode("a hash"));

/** The same bytes with one bit turned over. */
function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return copy;
}

interface RsaKey {
  readonly privateKey: KeyObject;
  readonly e: Uint8Array;
  readonly n: Uint8Array;
}

function rsaKey(modulusLength: number, publicExponent = 65_537): RsaKey {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength, publicExponent });
  const { e = "", n = "" } = publicKey.export({ format: "jwk" });
  return { privateKey, e: Buffer.from(e, "base64url"), n: Buffer.from(n, "base64url") };
}

const encoded = (e: BytesLike, n: BytesLike): string => AbiCoder.defaultAbiCoder().encode(["bytes", "bytes"], [e, n]);

describe("verifiers", () => {
  let world: Deployed;
  let ask: (verifier: string, key: BytesLike, digest: BytesLike, signature: BytesLike) => Promise<string>;

  before(async () => {
    world = await deployed();
    const batch = await world.ethers.deployContract("VerifierBatch");
    ask = async (verifier, ...said) => {
      const [answer]: string[] = await batch.getFunction("ask")(verifier, ...said.map((word) => [word]));
      return answer ?? "";
    };
  });

  const deploy = async (name: string, ...args: unknown[]): Promise<string> =>
    (await world.ethers.deployContract(name, args)).getAddress();

  describe("RsaVerifier", () => {
    const key = rsaKey(2048);
    const signature = sign("sha256", hash, key.privateKey);
    let verify: (key: BytesLike, digest: BytesLike, signature: BytesLike) => Promise<string>;

    before(async () => {
      const verifier = await deploy("RsaVerifier");
      verify = (...said) => ask(verifier, ...said);
    });

    it("accepts what node:crypto signs with RSA-2048, whatever the hash", async () => {
      for (const digest of [hash, new Uint8Array(32), new Uint8Array(32).fill(0xff)]) {
        for (const one of [key, rsaKey(2048)]) {
          expect(await verify(encoded(one.e, one.n), digest, sign("sha256", digest, one.privateKey))).to.equal(YES);
        }
      }
    });

    it("refuses a flipped bit in the signature, the hash or the modulus", async () => {
      const right = encoded(key.e, key.n);
      for (const bit of [0, 7, 8, 1_023, 1_024, 2_040, 2_047]) {
        expect(await verify(right, hash, flipped(signature, bit))).to.equal(NO);
        expect(await verify(encoded(key.e, flipped(key.n, bit)), hash, signature)).to.equal(NO);
      }
      for (const bit of [0, 100, 255]) expect(await verify(right, flipped(hash, bit), signature)).to.equal(NO);
    });

    it("refuses a signature of any other length, s = 0, s = 1, s = n and s + n", async () => {
      const n = BigInt(toHex(key.n));
      const s = BigInt(toHex(signature));
      const bad = [
        ...[0, 1, 32, 255].map((length) => signature.subarray(0, length)),
        concat(signature, new Uint8Array(1)),
        concat(new Uint8Array(1), signature),
        uintBytes(0n, 256),
        uintBytes(1n, 256),
        key.n,
        uintBytes(n - s, 256),
        // Where s + n still has 256 bytes, it is a second spelling of s.
        uintBytes(s + n, 257),
        ...(s + n < 2n ** 2048n ? [uintBytes(s + n, 256)] : []),
      ];
      for (const one of bad) expect(await verify(encoded(key.e, key.n), hash, one)).to.equal(NO);
    });

    it("refuses paddings of SHA-1, of SHA-512, of PSS, and a signature over the hash that isn't hashed again", async () => {
      const info = concat(fromHex("3031300d060960864801650304020105000420"), hash);
      const bad = [
        sign("sha1", hash, key.privateKey),
        sign("sha512", hash, key.privateKey),
        sign("sha256", hash, { key: key.privateKey, padding: constants.RSA_PKCS1_PSS_PADDING }),
        privateEncrypt(key.privateKey, info),
        sign("sha256", createHash("sha256").update(hash).digest(), key.privateKey),
      ];
      for (const one of bad) expect(await verify(encoded(key.e, key.n), hash, one)).to.equal(NO);
    });

    it("refuses e = 3 and 257, 1024, 3072 and 4096 bits, though their signatures are right", async () => {
      const library = await deploy("PlainRsaVerifier");
      const others = [rsaKey(2048, 3), rsaKey(2048, 257), rsaKey(1024), rsaKey(3072), rsaKey(4096)];
      for (const { privateKey, e, n } of others) {
        const own = sign("sha256", hash, privateKey);
        expect(await verify(encoded(e, n), hash, own)).to.equal(NO);
        // OpenZeppelin's alone takes them, save the short one: the restriction is ours.
        expect(await ask(library, encoded(e, n), hash, own)).to.equal(n.length < 256 ? NO : YES);
      }
    });

    it("refuses every other spelling of a key", async () => {
      const right = fromHex(encoded(key.e, key.n));
      const word = (value: number) => uintBytes(value, 32);
      const padded = (bytes: Uint8Array) => concat(bytes, new Uint8Array((32 - (bytes.length % 32)) % 32));
      const spellings = [
        encoded(concat(new Uint8Array(1), key.e), key.n),
        encoded(key.e, concat(new Uint8Array(1), key.n)),
        encoded(concat(new Uint8Array(29), key.e), key.n),
        encoded(key.n, key.e),
        concat(right, new Uint8Array(1)),
        concat(right, new Uint8Array(32)),
        // n first, then e, with offsets that say so.
        concat(word(0x160), word(0x40), word(256), key.n, word(3), padded(key.e)),
        // A gap between the two.
        concat(word(0x40), word(0xa0), word(3), padded(key.e), word(0), word(256), key.n),
        // Bits beside e.
        flipped(right, 8 * 127),
        flipped(right, 8 * 99),
        right.subarray(0, -1),
        concat(key.e, key.n),
        key.n,
      ];
      expect(await verify(right, hash, signature)).to.equal(YES);
      for (const spelling of spellings) expect(await verify(spelling, hash, signature)).to.equal(NO);
      const even = Uint8Array.from(key.n);
      even[255] = (even[255] ?? 0) & 0xfe;
      const short = Uint8Array.from(key.n);
      short[0] = (short[0] ?? 0) & 0x7f;
      for (const n of [even, short, new Uint8Array(256)]) {
        expect(await verify(encoded(key.e, n), hash, signature)).to.equal(NO);
      }
    });

    it("never reverts, whatever the bytes", async () => {
      const right = fromHex(encoded(key.e, key.n));
      for (let length = 0; length <= 480; length += 13) {
        expect(await verify(new Uint8Array(length).fill(0xff), hash, signature)).to.equal(NO);
        expect(await verify(right.subarray(0, length), hash, new Uint8Array(length))).to.equal(
          length >= right.length ? await verify(right, hash, new Uint8Array(length)) : NO,
        );
      }
      // Offsets that point nowhere, in a key of the right length.
      for (const at of [0, 1, 2, 4]) {
        const wild = Uint8Array.from(right);
        wild.fill(0xff, 32 * at, 32 * at + 32);
        expect(await verify(wild, hash, signature)).to.equal(NO);
      }
    });
  });

  describe("Erc1271Verifier", () => {
    const owner = keyOf("the wallet's owner");
    const signature = owner.sign(hash);
    let verify: (key: BytesLike, digest?: BytesLike, signature?: BytesLike) => Promise<string>;
    let wallet: string;
    let setMood: (mood: number) => Promise<void>;

    before(async () => {
      const verifier = await deploy("Erc1271Verifier");
      verify = (key, digest = hash, by = signature) => ask(verifier, key, digest, by);
      const contract = await world.ethers.deployContract("MoodyWallet", [owner.id]);
      wallet = await contract.getAddress();
      setMood = async (mood) => void (await contract.getFunction("setMood")(mood));
    });

    beforeEach(() => setMood(0));

    it("accepts what the contract accepts, and nothing else", async () => {
      expect(await verify(wallet)).to.equal(YES);
      expect(await verify(wallet, flipped(hash, 3))).to.equal(NO);
      expect(await verify(wallet, hash, keyOf("another").sign(hash))).to.equal(NO);
      for (const length of [0, 1, 31, 64, 66, 500]) {
        expect(await verify(wallet, hash, new Uint8Array(length).fill(7))).to.equal(NO);
      }
    });

    it("refuses accounts without code: ordinary ones, precompiles, zero", async () => {
      expect(await verify(owner.id)).to.equal(NO);
      expect(await verify(ZeroAddress)).to.equal(NO);
      for (let account = 1; account <= 17; account++) {
        expect(await verify(uintBytes(account, 20))).to.equal(NO);
      }
      expect(await verify(uintBytes(0x100, 20))).to.equal(NO);
      // The identity precompile echoes the call, which begins with the magic value: only its lack of code speaks against it.
      expect(await verify(uintBytes(4, 20), new Uint8Array(32))).to.equal(NO);
    });

    it("refuses a contract that reverts, is silent, says too little or adds a bit", async () => {
      for (const mood of [1, 2, 3, 5]) {
        await setMood(mood);
        expect(await verify(wallet)).to.equal(NO);
      }
      expect(await verify(world.addresses.ITC)).to.equal(NO);
    });

    it("refuses keys that aren't 20 bytes", async () => {
      const bytes = fromHex(wallet);
      for (const key of [new Uint8Array(), bytes.subarray(0, 19), concat(bytes, Uint8Array.of(0))]) {
        expect(await verify(key)).to.equal(NO);
      }
      expect(await verify(concat(new Uint8Array(12), bytes))).to.equal(NO);
    });

    it("leaves its caller gas when the contract burns what it gets", async () => {
      await setMood(4);
      expect(await verify(wallet)).to.equal(NO);
    });
  });

  describe("WotsVerifier", () => {
    const fresh = (label = "one") => new WotsKey(keccak256(new TextEncoder().encode(label)));
    const key = fresh().publicKey;
    let verify: (key: BytesLike, digest: BytesLike, signature: BytesLike) => Promise<string>;

    before(async () => {
      const verifier = await deploy("WotsVerifier");
      verify = (...said) => ask(verifier, ...said);
    });

    it("accepts one signature of a hash-based key", async () => {
      for (const digest of [hash, new Uint8Array(32), new Uint8Array(32).fill(0xff)]) {
        expect(await verify(key, digest, fresh().sign(digest))).to.equal(YES);
      }
      const used = fresh();
      expect(hexlify(used.sign(hash)).length).to.equal(2 + 2 * 2_144);
      expect(() => used.sign(hash)).to.throw("one-time");
    });

    it("refuses another hash, another key, a flipped bit and another length", async () => {
      const signature = fresh().sign(hash);
      for (const bit of [0, 8, 255]) expect(await verify(key, flipped(hash, bit), signature)).to.equal(NO);
      expect(await verify(fresh("two").publicKey, hash, signature)).to.equal(NO);
      for (const bit of [0, 300, 511]) expect(await verify(flipped(key, bit), hash, signature)).to.equal(NO);
      for (let chain = 0; chain < 67; chain++) {
        expect(await verify(key, hash, flipped(signature, 256 * chain + 5))).to.equal(NO);
      }
      const lengths = [new Uint8Array(), signature.subarray(1), concat(signature, new Uint8Array(1))];
      for (const wrong of lengths) expect(await verify(key, hash, wrong)).to.equal(NO);
      for (const wrong of [key.subarray(1), concat(key, new Uint8Array(1)), new Uint8Array()]) {
        expect(await verify(wrong, hash, signature)).to.equal(NO);
      }
    });

    it("refuses a signature whose chains were climbed further by somebody else", async () => {
      // All but the checksum can be had from a signature of a hash with lower digits.
      const low = new Uint8Array(32);
      const high = Uint8Array.from({ length: 32 }, (_, k) => (k === 31 ? 1 : 0));
      const forged = climbed(fresh().sign(low), low, high);
      expect(await verify(key, high, forged)).to.equal(NO);
    });

    it("is one-time: two signatures are enough for a third", async () => {
      // Digit by digit the lower of the two is known, and so is all that lies above: here one lends its digits, the other its checksum.
      const [one, two] = [new Uint8Array(32), new Uint8Array(32).fill(0xff)];
      const signatures = [fresh().sign(one), fresh().sign(two)] as const;
      const lowest = concat(
        ...digitsOf(one).map((_, chain) => {
          const from = (digitsOf(one)[chain] ?? 0) <= (digitsOf(two)[chain] ?? 0) ? signatures[0] : signatures[1];
          return from.subarray(32 * chain, 32 * chain + 32);
        }),
      );
      const known = digitsOf(one).map((digit, chain) => Math.min(digit, digitsOf(two)[chain] ?? 0));
      expect(await verify(key, hash, climbed(lowest, one, hash, known))).to.equal(YES);
    });

    /** The links of a signature climbed as far as another hash asks, where they aren't beyond it already. */
    function climbed(signature: Uint8Array, from: Uint8Array, to: Uint8Array, digits = digitsOf(from)): Uint8Array {
      return concat(
        ...digitsOf(to).map((digit, chain) => {
          let link = signature.subarray(32 * chain, 32 * chain + 32);
          for (let step = digits[chain] ?? 0; step < digit; step++) {
            link = stepOf(key.subarray(0, 32), chain, step, link);
          }
          return link;
        }),
      );
    }
  });
});
