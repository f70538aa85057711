import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { p256 } from "@noble/curves/nist.js";
import { expect } from "chai";
import { z } from "zod";
import { concat, fromHex, toHex, uintBytes } from "../../toolkit/internal/bytes.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { deployed } from "../support.js";

// Light on each change; `FUZZ=20000 npm test -- test/identity/p256.ts` goes deep.
const CASES = Number(process.env.FUZZ ?? 200);
const CHUNK = 40;
const YES = "0x024ad318";
const TRUE = `0x${"1".padStart(64, "0")}`;
const ORDER = p256.Point.Fn.ORDER;
const FIELD = p256.Point.Fp.ORDER;
const PRECOMPILE = `0x${"100".padStart(40, "0")}`;

const hex = z.string().regex(/^([0-9a-f]{2})*$/);
const Sources = z.array(
  z.strictObject({
    source: z.string(),
    licence: z.string(),
    groups: z.array(
      z.strictObject({
        key: hex.length(128),
        tests: z.array(
          z.strictObject({
            id: z.int(),
            comment: z.string(),
            flags: z.array(z.string()),
            message: hex,
            signature: hex,
            valid: z.boolean(),
          }),
        ),
      }),
    ),
  }),
);

/** One question, and whether ECDSA itself (s in either half) says yes to it. */
interface Question {
  readonly name: string;
  /** x ‖ y. */
  readonly key: Uint8Array;
  readonly digest: Uint8Array;
  /** r ‖ s. */
  readonly signature: Uint8Array;
  readonly valid: boolean;
}

const number = (bytes: Uint8Array): bigint => BigInt(bytes.length === 0 ? "0x0" : toHex(bytes));
const word = (value: bigint): Uint8Array => uintBytes(BigInt.asUintN(256, value), 32);

/** The rule of the house: 64 bytes, s in the lower half. Whoever has a valid signature could make a second one otherwise. */
const isOurs = ({ signature }: Question): boolean =>
  signature.length === 64 && number(signature.subarray(32)) <= ORDER / 2n;

/** The same signature with s in the lower half. */
function lowered(question: Question): Question {
  if (isOurs(question)) return question;
  const [r, s] = [question.signature.subarray(0, 32), question.signature.subarray(32)];
  return { ...question, signature: concat(r, word(ORDER - number(s))) };
}

function nobleSays(key: Uint8Array, digest: Uint8Array, signature: Uint8Array): boolean {
  try {
    return p256.verify(signature, digest, concat(Uint8Array.of(4), key), { prehash: false, lowS: false });
  } catch {
    return false;
  }
}

/** The same chain, with the precompile or without, and short ways to ask many questions. */
async function asking(hardfork: "osaka" | "prague") {
  const { addresses, ethers } = await deployed(hardfork);
  const batch = await ethers.deployContract("VerifierBatch");
  const chunks = <T>(list: readonly T[]): T[][] =>
    Array.from({ length: Math.ceil(list.length / CHUNK) }, (_, k) => list.slice(k * CHUNK, (k + 1) * CHUNK));
  return {
    /** What the verifier says to each; a revert would be "0x00000000". */
    async verifier(questions: readonly Pick<Question, "key" | "digest" | "signature">[]): Promise<string[]> {
      const answers: string[] = [];
      for (const some of chunks(questions)) {
        const words = [some.map(({ key }) => key), some.map(({ digest }) => digest), some.map((one) => one.signature)];
        const said: string[] = await batch.getFunction("ask")(addresses.P256Verifier, ...words);
        answers.push(...said);
      }
      return answers;
    },
    async precompile(inputs: readonly Uint8Array[]): Promise<string[]> {
      const answers: string[] = [];
      for (const some of chunks(inputs)) {
        const said: string[] = await batch.getFunction("callRaw")(PRECOMPILE, some);
        answers.push(...said);
      }
      return answers;
    },
  };
}

const inputOf = ({ key, digest, signature }: Question): Uint8Array => concat(digest, signature, key);
const expected = (questions: readonly Question[]): string[] =>
  questions.map((one) => `${one.name}: ${one.valid && isOurs(one) ? YES : "0xffffffff"}`);
const named = (questions: readonly Question[], answers: readonly string[]): string[] =>
  questions.map(({ name }, k) => `${name}: ${answers[k]}`);

describe("P-256", function () {
  this.timeout(3_600_000);
  let osaka: Awaited<ReturnType<typeof asking>>;
  let prague: Awaited<ReturnType<typeof asking>>;

  before(async () => {
    osaka = await asking("osaka");
    prague = await asking("prague");
  });

  describe("against published vectors: RFC 6979, NIST CAVP, Project Wycheproof", () => {
    let sources: z.infer<typeof Sources>;
    let questions: Question[];

    before(async () => {
      sources = Sources.parse(JSON.parse(await readFile(new URL("../vectors/p256.json", import.meta.url), "utf8")));
      questions = sources.flatMap(({ source, groups }) =>
        groups.flatMap(({ key, tests }) =>
          tests.map(({ id, comment, message, signature, valid }) => ({
            name: `${source.split(",")[0]} ${id} (${comment})`,
            key: fromHex(key),
            digest: new Uint8Array(createHash("sha256").update(fromHex(message)).digest()),
            signature: fromHex(signature),
            valid,
          })),
        ),
      );
    });

    it("they are read whole: the number of each source, every class of Wycheproof's flags", () => {
      const tests = sources.map(({ groups }) => groups.flatMap((group) => group.tests));
      expect(tests.map((list) => list.length)).to.deep.equal([2, 15, 252]);
      expect(tests.map((list) => list.filter(({ valid }) => valid).length)).to.deep.equal([2, 3, 169]);
      expect([...new Set(tests[2]?.flatMap(({ flags }) => flags))].sort()).to.deep.equal([
        "ArithmeticError",
        "EdgeCasePublicKey",
        "EdgeCaseShamirMultiplication",
        "IntegerOverflow",
        "InvalidSignature",
        "ModifiedInteger",
        "ModularInverse",
        "PointDuplication",
        "RangeCheck",
        "SignatureSize",
        "SmallRandS",
        "SpecialCaseHash",
        "ValidSignature",
      ]);
      // A figure that was copied wrongly would be no valid signature any more.
      expect(questions.map(({ key, digest, signature }) => nobleSays(key, digest, signature))).to.deep.equal(
        questions.map(({ valid }) => valid),
      );
    });

    for (const hardfork of ["osaka", "prague"] as const) {
      it(`the verifier says yes to what is valid with s in the lower half, and to nothing else (${hardfork})`, async () => {
        const answers = await (hardfork === "osaka" ? osaka : prague).verifier(questions);
        expect(named(questions, answers)).to.deep.equal(expected(questions));
      });
    }

    it("the verifier says yes to the same signatures once s is in the lower half", async () => {
      const high = questions.filter((one) => one.valid && !isOurs(one));
      expect(high.length).to.be.greaterThan(60);
      const low = high.map(lowered);
      expect(named(low, await osaka.verifier(low))).to.deep.equal(expected(low));
      expect(named(low, await prague.verifier(low))).to.deep.equal(expected(low));
    });

    it("the precompile says yes to what is valid, s in the upper half too", async () => {
      const whole = questions.filter(({ signature }) => signature.length === 64);
      const answers = await osaka.precompile(whole.map(inputOf));
      expect(named(whole, answers)).to.deep.equal(whole.map(({ name, valid }) => `${name}: ${valid ? TRUE : "0x"}`));
    });
  });

  describe("against one another, with random keys and every kind of damage", () => {
    it("precompile, Solidity and noble agree, but for s in the upper half", async () => {
      const questions = Array.from({ length: CASES }, (_, k) => randomQuestion(k));
      const [native, withPrecompile, inSolidity] = [
        await osaka.precompile(questions.map(inputOf)),
        await osaka.verifier(questions),
        await prague.verifier(questions),
      ];
      expect(named(questions, native)).to.deep.equal(
        questions.map(({ name, valid }) => `${name}: ${valid ? TRUE : "0x"}`),
      );
      expect(named(questions, withPrecompile)).to.deep.equal(expected(questions));
      expect(named(questions, inSolidity)).to.deep.equal(expected(questions));
      const yes = questions.filter((one) => one.valid && isOurs(one)).length;
      expect(yes).to.be.greaterThan(CASES / 10);
      expect(CASES - yes).to.be.greaterThan(CASES / 3);
    });
  });

  describe("malformed calls", () => {
    it("the verifier refuses signatures and keys of other lengths, and bytes after a signature", async () => {
      const { key, digest, signature } = lowered(signed(0, "malformed"));
      const right = { key, digest, signature };
      const junk = new Uint8Array(1);
      const bad = [
        ...[0, 1, 32, 63].map((length) => ({ ...right, signature: signature.subarray(0, length) })),
        ...[0, 1, 32, 63].map((length) => ({ ...right, key: key.subarray(0, length) })),
        { ...right, signature: concat(signature, junk) },
        { ...right, signature: concat(signature, Uint8Array.of(27)) },
        { ...right, signature: concat(signature, new Uint8Array(32)) },
        { ...right, key: concat(key, junk) },
        { ...right, key: concat(Uint8Array.of(4), key) },
      ];
      for (const chain of [osaka, prague]) {
        expect(await chain.verifier([right, ...bad])).to.deep.equal([YES, ...bad.map(() => "0xffffffff")]);
      }
    });

    it("the precompile is silent on any other length and absent on prague", async () => {
      const input = inputOf(signed(0, "malformed"));
      const wrong = [input.subarray(1), input.subarray(0, 159), concat(input, new Uint8Array(1)), new Uint8Array()];
      expect(await osaka.precompile([input, ...wrong])).to.deep.equal([TRUE, ...wrong.map(() => "0x")]);
      expect(await prague.precompile([input])).to.deep.equal(["0x"]);
    });
  });
});

/** Random bytes that are the same in each run. */
const random = (k: number, label: string): Uint8Array => fromHex(secretOf(20_261, `p256 ${k} ${label}`));

// Keys whose points meet the generator's multiples on the way, where additions become doublings or end at infinity.
const SPECIAL_SECRETS = [
  1n,
  2n,
  3n,
  4n,
  5n,
  7n,
  8n,
  16n,
  ORDER - 1n,
  ORDER - 2n,
  ORDER - 3n,
  ORDER / 2n,
  ORDER / 2n + 1n,
];
const SPECIAL_DIGESTS = [0n, 1n, ORDER - 1n, ORDER, ORDER + 1n, 2n ** 255n, 2n ** 256n - 1n];

/** A signature with s in whichever half it falls, by a random or a special key over a random or a special digest. */
function signed(k: number, label = ""): Question {
  const dice = random(k, `dice ${label}`);
  const secret =
    (dice[0] ?? 0) % 4 === 0
      ? word(SPECIAL_SECRETS[(dice[1] ?? 0) % SPECIAL_SECRETS.length] ?? 1n)
      : word((number(random(k, `key ${label}`)) % (ORDER - 1n)) + 1n);
  const digest =
    (dice[2] ?? 0) % 8 === 0
      ? word(SPECIAL_DIGESTS[(dice[3] ?? 0) % SPECIAL_DIGESTS.length] ?? 0n)
      : random(k, `digest ${label}`);
  const key = p256.getPublicKey(secret, false).subarray(1);
  const signature = p256.sign(digest, secret, { prehash: false, lowS: false });
  return { name: `case ${k}`, key, digest, signature, valid: true };
}

type Parts = { x: bigint; y: bigint; digest: bigint; r: bigint; s: bigint };
type Damage = (parts: Parts, bit: bigint) => Partial<Parts>;

const DAMAGES: Readonly<Record<string, Damage>> = {
  none: () => ({}),
  "s in the other half": ({ s }) => ({ s: ORDER - s }),
  "a bit of r": ({ r }, bit) => ({ r: r ^ bit }),
  "a bit of s": ({ s }, bit) => ({ s: s ^ bit }),
  "a bit of x": ({ x }, bit) => ({ x: x ^ bit }),
  "a bit of y": ({ y }, bit) => ({ y: y ^ bit }),
  "a bit of the digest": ({ digest }, bit) => ({ digest: digest ^ bit }),
  // The digest counts modulo n: what is valid stays so where no bit falls off.
  "digest + n": ({ digest }) => ({ digest: digest + ORDER }),
  "digest - n": ({ digest }) => ({ digest: digest - ORDER }),
  "r + n": ({ r }) => ({ r: r + ORDER }),
  "s + n": ({ s }) => ({ s: s + ORDER }),
  "r - n": ({ r }) => ({ r: r - ORDER }),
  "n - r": ({ r }) => ({ r: ORDER - r }),
  "r = 0": () => ({ r: 0n }),
  "s = 0": () => ({ s: 0n }),
  "r = s = 0": () => ({ r: 0n, s: 0n }),
  "r = n": () => ({ r: ORDER }),
  "s = n": () => ({ s: ORDER }),
  "r = s = 1": () => ({ r: 1n, s: 1n }),
  "r and s swapped": ({ r, s }) => ({ r: s, s: r }),
  "r = x of the key": ({ x }) => ({ r: x % ORDER }),
  "the other y": ({ y }) => ({ y: FIELD - y }),
  "y + 1": ({ y }) => ({ y: y + 1n }),
  "x + p": ({ x }) => ({ x: x + FIELD }),
  "y + p": ({ y }) => ({ y: y + FIELD }),
  "x = p": () => ({ x: FIELD }),
  "the point zero": () => ({ x: 0n, y: 0n }),
  "x and y swapped": ({ x, y }) => ({ x: y, y: x }),
};

/** A signature with one kind of damage, or none, and what noble says to it. */
function randomQuestion(k: number): Question {
  const right = signed(k);
  const damages = Object.entries(DAMAGES);
  const dice = random(k, "damage");
  // A third are left whole.
  const [kind, damage] = (k % 3 === 0 ? damages[0] : damages[(dice[0] ?? 0) % damages.length]) ?? ["none", () => ({})];
  const parts: Parts = {
    x: number(right.key.subarray(0, 32)),
    y: number(right.key.subarray(32)),
    digest: number(right.digest),
    r: number(right.signature.subarray(0, 32)),
    s: number(right.signature.subarray(32)),
  };
  const { x, y, digest, r, s } = { ...parts, ...damage(parts, 1n << BigInt(dice[1] ?? 0)) };
  const said = { key: concat(word(x), word(y)), digest: word(digest), signature: concat(word(r), word(s)) };
  return { ...said, name: `case ${k}: ${kind}`, valid: nobleSays(said.key, said.digest, said.signature) };
}
