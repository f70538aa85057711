import { open } from "node:fs/promises";

// The files of snarkjs and circom (.ptau, .zkey, .r1cs): four letters, a version, and sections with a number and a length each. snarkjs itself says
// little of a file that isn't right, or nothing.

/** Sections by their numbers. */
type Sections = ReadonlyMap<number, Buffer>;

/** No section that is read here has more that matters. */
const MOST = 2 ** 20;
const ORDER_BYTES = 32;
const MODULUS = 21888242871839275222246405745257275088696311157297823662689037894645226208583n;

/** What a file of powers of tau says of itself. */
export interface Powers {
  /** They serve circuits of up to 2^`power` constraints. */
  readonly power: number;
  readonly contributions: number;
  /** Whether they are prepared for phase 2. */
  readonly isPrepared: boolean;
}

/** Reads a .ptau. Throws an Error that says what is wrong with the file. */
export async function readPowers(path: string): Promise<Powers> {
  const sections = await sectionsOf(path, "ptau");
  const header = sectionOf(sections, 1, 12 + ORDER_BYTES, path);
  if (numberOf(header.subarray(4, 4 + header.readUInt32LE(0))) !== MODULUS) throw new Error(`${path}: not of BN254.`);
  return {
    power: header.readUInt32LE(4 + ORDER_BYTES),
    contributions: sections.get(7)?.readUInt32LE(0) ?? 0,
    isPrepared: [12, 13, 14, 15].every((id) => sections.has(id)),
  };
}

/** Constraints and public inputs of a .r1cs: what a key for it needs powers for. */
export async function sizeOfCircuit(path: string): Promise<number> {
  const header = sectionOf(await sectionsOf(path, "r1cs"), 1, 32 + ORDER_BYTES, path);
  const [outputs, inputs, constraints] = [8, 12, 28].map((at) => header.readUInt32LE(at + ORDER_BYTES));
  return (constraints ?? 0) + (outputs ?? 0) + (inputs ?? 0) + 1;
}

/** Who contributed to a .zkey, in order: a party, or a beacon. Throws an Error that says what is wrong with the file. */
export async function contributionsOf(path: string): Promise<("party" | "beacon")[]> {
  const content = sectionOf(await sectionsOf(path, "zkey"), 10, 68, path);
  const points = 3 * 64 + 128 + 64;
  const kinds: ("party" | "beacon")[] = [];
  let at = 68;
  for (let left = content.readUInt32LE(64); left > 0; left--) {
    if (at + points + 8 > content.length) throw new Error(`${path}: its contributions are cut short.`);
    kinds.push(content.readUInt32LE(at + points) === 1 ? "beacon" : "party");
    at += points + 8 + content.readUInt32LE(at + points + 4);
  }
  return kinds;
}

async function sectionsOf(path: string, letters: string): Promise<Sections> {
  const file = await open(path).catch((cause: unknown) => {
    throw new Error(`${path}: can't be read.`, { cause });
  });
  try {
    const { size } = await file.stat();
    const read = async (at: number, length: number): Promise<Buffer> => {
      if (at + length > size) throw new Error(`${path}: cut short.`);
      return (await file.read(Buffer.alloc(length), 0, length, at)).buffer;
    };
    if (size < 12 || (await read(0, 4)).toString("latin1") !== letters)
      throw new Error(`${path}: no .${letters} file.`);
    const sections = new Map<number, Buffer>();
    let at = 12;
    for (let left = (await read(8, 4)).readUInt32LE(0); left > 0; left--) {
      const head = await read(at, 12);
      const length = Number(head.readBigUInt64LE(4));
      if (at + 12 + length > size) throw new Error(`${path}: cut short.`);
      sections.set(head.readUInt32LE(0), await read(at + 12, Math.min(length, MOST)));
      at += 12 + length;
    }
    return sections;
  } finally {
    await file.close();
  }
}

function sectionOf(sections: Sections, id: number, least: number, path: string): Buffer {
  const section = sections.get(id);
  if (section === undefined || section.length < least) throw new Error(`${path}: its section ${id} is missing.`);
  return section;
}

function numberOf(littleEndian: Uint8Array): bigint {
  return BigInt(`0x0${Buffer.from(littleEndian).reverse().toString("hex")}`);
}
