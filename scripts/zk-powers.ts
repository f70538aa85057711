import { open } from "node:fs/promises";
import * as snarkjs from "snarkjs";
import { concat, keccak256, uintBytes } from "../toolkit/internal/bytes.js";

// Powers of tau for development, in the prepared form that snarkjs reads (.ptau). Their secrets follow from a published text, so that everyone
// makes the same ones, in minutes, and everyone can forge proofs with keys that come of them.
const SECRETS = "iotchain development set-up: these secrets are known to all: ";
const WINDOW = 13;

/** What is used of snarkjs, of which its types say nothing. */
const { curves } = snarkjs as unknown as {
  readonly curves: { getCurveFromName(name: string, options: { readonly singleThread: boolean }): Promise<Curve> };
};

interface Group {
  readonly g: Uint8Array;
  readonly zero: Uint8Array;
  readonly F: { readonly n8: number };
  add(a: Uint8Array, b: Uint8Array): Uint8Array;
  batchToAffine(points: Uint8Array): Promise<Uint8Array>;
}

interface Curve {
  readonly q: bigint;
  readonly r: bigint;
  readonly G1: Group;
  readonly G2: Group;
  readonly Fr: { readonly w: readonly Uint8Array[]; toObject(element: Uint8Array): bigint };
  terminate(): Promise<void>;
}

/** Multiples of a group's generator, by a table of those of its powers. */
class FixedBase {
  private constructor(
    private readonly group: Group,
    private readonly table: readonly Uint8Array[],
  ) {}

  static async of(group: Group): Promise<FixedBase> {
    const multiples: Uint8Array[] = [];
    let power = group.add(group.zero, group.g);
    for (let shift = 0; shift < 256; shift += WINDOW) {
      let multiple = power;
      for (let digit = 1; digit < 2 ** WINDOW; digit++) {
        multiples.push(multiple);
        multiple = group.add(multiple, power);
      }
      power = multiple;
    }
    return new FixedBase(group, split(await group.batchToAffine(joined(multiples)), group.F.n8 * 2));
  }

  /** The multiples as the file has them, one after the other. */
  async times(scalars: readonly bigint[]): Promise<Uint8Array> {
    return this.group.batchToAffine(joined(scalars.map((scalar) => this.multiple(scalar))));
  }

  private multiple(scalar: bigint): Uint8Array {
    let sum = this.group.zero;
    let rest = scalar;
    for (let start = -1; rest > 0n; start += 2 ** WINDOW - 1) {
      const digit = Number(BigInt.asUintN(WINDOW, rest));
      const point = digit > 0 ? this.table[start + digit] : undefined;
      if (point) sum = this.group.add(sum, point);
      rest >>= BigInt(WINDOW);
    }
    return sum;
  }
}

/** As `concat`, for more pieces than a call can take. */
function joined(pieces: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(pieces));
}

function split(bytes: Uint8Array, size: number): Uint8Array[] {
  return Array.from({ length: bytes.length / size }, (_, k) => bytes.slice(k * size, (k + 1) * size));
}

/** The values at `point` of the Lagrange polynomials over the roots of unity, of which there are 2^`power`. */
function lagrangeAt(point: bigint, power: number, root: bigint, order: bigint): bigint[] {
  const size = 2 ** power;
  const mod = (value: bigint): bigint => ((value % order) + order) % order;
  const roots: bigint[] = [];
  for (let k = 0, each = 1n; k < size; k++, each = (each * root) % order) roots.push(each);
  const products = [1n];
  for (const each of roots) products.push(((products.at(-1) ?? 1n) * mod(point - each)) % order);
  let inverse = powerOf(products.at(-1) ?? 1n, order - 2n, order);
  const vanishing = mod(powerOf(point, BigInt(size), order) - 1n) * powerOf(BigInt(size), order - 2n, order);
  const values = new Array<bigint>(size);
  for (let k = size - 1; k >= 0; k--) {
    const each = roots[k] ?? 0n;
    values[k] = mod(((((vanishing % order) * each) % order) * ((inverse * (products[k] ?? 0n)) % order)) % order);
    inverse = (inverse * mod(point - each)) % order;
  }
  return values;
}

function powerOf(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let [result, square] = [1n, base % modulus];
  for (let rest = exponent; rest > 0n; rest >>= 1n, square = (square * square) % modulus) {
    if (rest & 1n) result = (result * square) % modulus;
  }
  return result;
}

function section(id: number, content: Uint8Array): Uint8Array {
  return concat(littleEndian(BigInt(id), 4), littleEndian(BigInt(content.length), 8), content);
}

function littleEndian(value: bigint, length: number): Uint8Array {
  return uintBytes(value, length).reverse();
}

/** Writes development powers that serve circuits of up to 2^`power` constraints. */
export async function writeDevelopmentPowers(path: string, power: number, log: (line: string) => void): Promise<void> {
  const curve = await curves.getCurveFromName("bn128", { singleThread: true });
  const secret = (name: string): bigint =>
    BigInt(`0x${Buffer.from(keccak256(new TextEncoder().encode(SECRETS + name))).toString("hex")}`) % curve.r;
  const [tau, alpha, beta] = [secret("tau"), secret("alpha"), secret("beta")];
  const one = await FixedBase.of(curve.G1);
  const two = await FixedBase.of(curve.G2);

  const file = await open(path, "w");
  await file.write(concat(new TextEncoder().encode("ptau"), littleEndian(1n, 4), littleEndian(9n, 4)));
  const header = [
    littleEndian(32n, 4),
    littleEndian(curve.q, 32),
    ...[power, power].map((n) => littleEndian(BigInt(n), 4)),
  ];
  await file.write(section(1, concat(...header)));
  const powers = [1n];
  while (powers.length < 2 ** (power + 1) - 1) powers.push(((powers.at(-1) ?? 1n) * tau) % curve.r);
  await file.write(section(2, await one.times(powers)));
  // Of the other plain powers a key takes the first ones only.
  await file.write(section(4, await one.times([alpha])));
  await file.write(section(5, await one.times([beta])));
  await file.write(section(6, await two.times([beta])));
  const bases = Array.from({ length: power + 2 }, (_, k) => {
    const root = curve.Fr.w[k];
    return lagrangeAt(tau, k, root ? curve.Fr.toObject(root) : 1n, curve.r);
  });
  for (const [id, base, factor, last] of [
    [12, one, 1n, power + 1],
    [13, two, 1n, power],
    [14, one, alpha, power],
    [15, one, beta, power],
  ] as const) {
    const scalars = bases.slice(0, last + 1).flatMap((values) => values.map((value) => (value * factor) % curve.r));
    await file.write(section(id, await base.times(scalars)));
    log(`powers: section ${id}`);
  }
  await file.close();
  await curve.terminate();
}
