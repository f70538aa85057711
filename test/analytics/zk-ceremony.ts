import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import * as snarkjs from "snarkjs";
import { checkFinalKeys, initialKeys, keyIn, planOf } from "../../scripts/zk-ceremony.js";
import { compileCircuit } from "../../scripts/zk-circuits.js";
import { verifierSource } from "../../scripts/zk-keys.js";
import { stopWorkers } from "./zk-rig.js";

const CIRCUIT = "range-8";
/** `range-8` needs no less. */
const POWER = 4;
const BEACON = "0b".repeat(32);

type Calls = Record<string, (...args: unknown[]) => Promise<unknown>>;
/** What snarkjs has for ceremonies, of which its types say little. */
const { curves, powersOfTau, zKey, groth16 } = snarkjs as unknown as Record<
  "curves" | "powersOfTau" | "zKey" | "groth16",
  Calls
>;

describe("the ceremony", function () {
  this.timeout(240_000);
  let folder: string;
  const at = (name: string): string => join(folder, name);
  const keyOf = (name: string): string => keyIn(at(name), CIRCUIT);
  const powers = (): string => at("powers.ptau");

  /** Powers of one party, prepared; `new.ptau` and `<name>-plain.ptau` are what they were before. */
  async function makePowers(name: string, power: number): Promise<void> {
    const curve = await curves.getCurveFromName?.("bn128");
    await powersOfTau.newAccumulator?.(curve, power, at("new.ptau"));
    await powersOfTau.contribute?.(at("new.ptau"), at(`${name}-plain.ptau`), "a party", `entropy of ${name}`);
    await powersOfTau.preparePhase2?.(at(`${name}-plain.ptau`), at(`${name}.ptau`));
  }

  /** A folder with a key that a party, or the beacon, has made of another one. */
  async function contributed(name: string, from: string, by: "party" | "beacon"): Promise<void> {
    await mkdir(at(name));
    if (by === "party") await zKey.contribute?.(keyOf(from), keyOf(name), `party of ${name}`, `entropy of ${name}`);
    else await zKey.beacon?.(keyOf(from), keyOf(name), "the end", BEACON, 10);
  }

  async function messageOf(act: () => unknown): Promise<string> {
    try {
      await act();
      return "nothing";
    } catch (error) {
      return (error as Error).message;
    }
  }

  const final = (name: string, by = powers(), said: string[] = []): Promise<string> =>
    messageOf(() => checkFinalKeys(by, at(name), [CIRCUIT], (line) => said.push(line)));

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "ceremony-"));
    await makePowers("other", POWER);
    await makePowers("powers", POWER);
    await initialKeys(powers(), at("first"), [CIRCUIT]);
    await contributed("party", "first", "party");
    await contributed("final", "party", "beacon");
  });

  after(async () => {
    await rm(folder, { recursive: true });
    await stopWorkers();
  });

  it("ends with keys that prove, and with a verifier's that aren't for development", async () => {
    const said: string[] = [];
    expect(await final("final", powers(), said)).to.equal("nothing");
    expect(said.join("\n"))
      .to.match(/^range-8:/)
      .and.to.include("party of party")
      .and.to.include(BEACON);
    const source = await verifierSource(at("final"), [CIRCUIT], false);
    expect(source)
      .to.include("DEVELOPMENT = false")
      .and.to.include("function range8()")
      .and.to.include("Of a ceremony.");

    const { wasm } = await compileCircuit(CIRCUIT);
    const proved = (await groth16.fullProve?.({ in: 200n }, wasm, keyOf("final"))) as Record<string, unknown>;
    const key = await zKey.exportVerificationKey?.(keyOf("final"));
    expect(await groth16.verify?.(key, proved.publicSignals, proved.proof)).to.equal(true);
  });

  it("begins with none but prepared powers of its size that somebody has contributed to", async () => {
    await makePowers("small", POWER - 1);
    await writeFile(at("text.ptau"), "powers");
    await writeFile(at("cut.ptau"), (await readFile(powers())).subarray(0, 1_000));
    await writeFile(at("curve.ptau"), (await readFile(powers())).fill(1, 30, 40));
    for (const [file, says] of [
      [at("small.ptau"), "powers for 2^3 constraints; range-8 has 11 and needs 2^4"],
      [at("new.ptau"), "nobody has contributed"],
      [at("powers-plain.ptau"), "powersoftau prepare phase2"],
      [at("text.ptau"), "no .ptau file"],
      [keyOf("first"), "no .ptau file"],
      [at("cut.ptau"), "cut short"],
      [at("curve.ptau"), "not of BN254"],
      [at("none.ptau"), "can't be read"],
    ] as const) {
      expect(await messageOf(() => initialKeys(file, at("begun"), [CIRCUIT]))).to.include(says);
      expect(await final("final", file)).to.include(says);
    }
    expect(await readdir(folder)).not.to.include("begun");
  });

  it("begins in a folder without keys, so that none is lost", async () => {
    const before = await readFile(keyOf("party"));
    expect(await messageOf(() => initialKeys(powers(), at("party"), [CIRCUIT]))).to.include("is there already");
    expect((await readFile(keyOf("party"))).equals(before)).to.equal(true);
  });

  it("ends with no key that lacks a party or a beacon", async () => {
    await contributed("beacon", "first", "beacon");
    await contributed("late", "final", "party");
    for (const [name, says] of [
      ["first", "no party has contributed"],
      ["beacon", "no party has contributed"],
      ["party", "doesn't end with a beacon"],
      ["late", "doesn't end with a beacon"],
    ] as const)
      expect(await final(name)).to.include(says);
  });

  it("ends with no key of other powers, of a broken chain, or that isn't one", async () => {
    expect(await final("final", at("other.ptau"))).to.include("doesn't follow from range-8");
    const right = await readFile(keyOf("final"));
    // The last contribution ends with its name, its iterations and its beacon; its hash of all before is in front of them.
    const hash = right.length - (2 + 7 + 2 + 2 + 32) - 8 - 32;
    const flipped = (place: number): Buffer => Buffer.from(right).fill((right[place] ?? 0) ^ 1, place, place + 1);
    const says = "doesn't follow from range-8";
    for (const [k, [bytes, message]] of [
      [flipped(hash), says],
      // Somewhere among the points for the prover.
      [flipped(right.length >> 1), says],
      [Buffer.concat([right.subarray(0, 8), Buffer.alloc(4)]), "section 10 is missing"],
      [right.subarray(0, -1), "cut short"],
      [await readFile(powers()), "no .zkey file"],
      [Buffer.alloc(0), "no .zkey file"],
    ].entries() as ArrayIterator<[number, [Buffer, string]]>) {
      await mkdir(at(`wrong-${k}`));
      await writeFile(keyOf(`wrong-${k}`), bytes);
      expect(await final(`wrong-${k}`), `${k}`).to.include(message);
    }
    expect(await final("nowhere")).to.include("can't be read");
  });

  it("has options that go together, and without any there are keys for development", async () => {
    expect(planOf([])).to.deep.equal({ phase: "development" });
    const both = ["--powers", "p", "--initial", "i"];
    expect(planOf(both)).to.deep.equal({ phase: "initial", powers: "p", folder: "i" });
    expect(planOf(["--final", "f", "--powers", "p"])).to.deep.equal({ phase: "final", powers: "p", folder: "f" });
    for (const wrong of [
      ["--initial", "i"],
      ["--final", "f"],
      ["--powers", "p"],
      [...both, "--final", "f"],
      ["--powers", "", "--initial", "i"],
    ])
      expect(await messageOf(() => planOf(wrong))).to.include("With --powers goes either");
    for (const wrong of [["--power", "p"], ["p"], ["--powers"]])
      expect(await messageOf(() => planOf(wrong))).to.match(/--power|argument/);
  });
});
