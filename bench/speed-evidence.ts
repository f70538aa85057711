import { createMerkleProof, createMPT, type MerklePatriciaTrie } from "@ethereumjs/mpt";
import { encodeRlp, toBeArray } from "ethers";
import { Batch } from "../toolkit/anchoring/batches.js";
import { type Evidence, readEvidence, writeEvidence } from "../toolkit/anchoring/evidence.js";
import { digestOf, leadsTo, signatureFindings } from "../toolkit/anchoring/evidence-findings.js";
import { entryLeaf, MountainRange, peakHeight } from "../toolkit/anchoring/mountain-range.js";
import { contentOf, schemaIdOf, signReading } from "../toolkit/anchoring/readings.js";
import { logSlots, mappingSlot, REGISTRY_SLOTS } from "../toolkit/anchoring/registry-layout.js";
import { verifyLight } from "../toolkit/anchoring/verify-light.js";
import { Digests } from "../toolkit/identity/digests.js";
import { deviceKey } from "../toolkit/identity/keys.js";
import { fromHex, keccak256, toHex, uintBytes } from "../toolkit/internal/bytes.js";
import { secretOf } from "../toolkit/testing/fixture.js";

// How many bundles one process checks without a network, for a key of the kind that is named: by a trusted block alone, or (`-plain`) what of a plain
// bundle needs no node. Prints milliseconds of one core, MiB, and the bundle's bytes as JSON. The batch has 4,096 readings, the log 1,000,000 entries, and each trie `FILLERS` other leaves.
const CHECKS = 1_000;
const READINGS = 4_096;
const ENTRIES = 1_000_000;
const FILLERS = 4_096;
const TIME = 1_800_000_000n;
const [REGISTRY, ANCHOR, PUBLISHER] = ["11", "22", "33"].map((byte) => `0x${byte.repeat(20)}`) as [
  string,
  string,
  string,
];

type Words = [slot: bigint, value: bigint][];

async function trieOf(leaves: readonly (readonly [key: Uint8Array, value: Uint8Array])[]): Promise<MerklePatriciaTrie> {
  const trie = await createMPT({ useKeyHashing: true, useKeyHashingFunction: keccak256 });
  for (let k = 0; k < FILLERS; k++) await trie.put(uintBytes(k + 1, 32), Uint8Array.of(1));
  for (const [key, value] of leaves) await trie.put(key, value);
  return trie;
}

function rlpOf(value: bigint): Uint8Array {
  return fromHex(encodeRlp(toBeArray(value)));
}

/** Contracts' storage under one state root, with the nodes that lead to each word. */
async function stateOf(accounts: readonly (readonly [address: string, words: Words])[]) {
  const nodes = new Map<string, Uint8Array>();
  const note = async (trie: MerklePatriciaTrie, key: Uint8Array) => {
    for (const node of await createMerkleProof(trie, key)) nodes.set(toHex(node), node);
  };
  const leaves: [Uint8Array, Uint8Array][] = [];
  for (const [address, words] of accounts) {
    const storage = await trieOf(words.map(([slot, value]) => [uintBytes(slot, 32), rlpOf(value)]));
    for (const [slot] of words) await note(storage, uintBytes(slot, 32));
    leaves.push([fromHex(address), fromHex(encodeRlp(["0x01", "0x", storage.root(), new Uint8Array(32)]))]);
  }
  const trie = await trieOf(leaves);
  for (const [address] of leaves) await note(trie, address);
  return { root: trie.root(), nodes: [...nodes.values()] };
}

function headerOver(stateRoot: Uint8Array): Uint8Array {
  const word = new Uint8Array(32);
  const fields = [word, word, word.subarray(12), stateRoot, word, word, new Uint8Array(256), "0x", "0x0f4240"];
  const times = [toBeArray(30_000_000), "0x", toBeArray(TIME), "0x", word, new Uint8Array(8), "0x07"];
  return fromHex(encodeRlp([...fields, ...times, word, "0x", "0x", word, word]));
}

/** A log in which the entry is early: the most siblings that one of its size has. */
function logWith(entry: Uint8Array, index: number) {
  const range = new MountainRange();
  for (let k = 0; k < ENTRIES; k++) range.append(k === index ? entryLeaf(entry, TIME) : uintBytes(k, 32));
  const height = peakHeight(BigInt(index), BigInt(ENTRIES));
  return { siblings: range.prove(index), height, peak: range.peak(height) ?? new Uint8Array() };
}

async function bundleOf(kind: string): Promise<{ evidence: Evidence; peak: Uint8Array }> {
  if (kind !== "secp256k1" && kind !== "p256") throw new Error("Name one of: secp256k1, p256.");
  const key = deviceKey(kind, fromHex(secretOf(1, kind)));
  const domain = { chainId: 1n, registry: REGISTRY };
  const digests = new Digests(domain);
  const schema = schemaIdOf({ quantity: "wind_speed", unit: "m/s", scale: 2 });
  const measurement = { value: 314n, salt: fromHex(secretOf(2, kind)) };
  const reading = { sequence: 7n, time: TIME - 60n, schema, content: contentOf(measurement) };
  const signed = signReading(key, digests, reading);
  const batch = new Batch(
    Array.from({ length: READINGS }, (_, k) => (k === 7 ? signed : { ...signed, sequence: BigInt(k) })),
    digests,
  );
  const index = 12_345;
  const { siblings, height, peak } = logWith(batch.entry, index);
  const slots = logSlots(PUBLISHER);
  const word = (of: keyof typeof REGISTRY_SLOTS, at: Uint8Array | bigint) => mappingSlot(at, REGISTRY_SLOTS[of]);
  // An active device of lot 1, which is open and issuer 1's.
  const device = 1n | (BigInt(kind === "p256") << 24n) | ((TIME - 5n) << 40n) | (1n << 160n);
  const { root, nodes } = await stateOf([
    [
      ANCHOR,
      [
        [slots.head, (TIME << 64n) | BigInt(ENTRIES)],
        [slots.peak(height), BigInt(toHex(peak))],
      ],
    ],
    [
      REGISTRY,
      [
        [word("devices", fromHex(key.id)), device],
        [word("_lotByNumber", 1n), 99n],
        [word("_lots", 99n), 1n | (2n << 152n) | (1n << 160n)],
        [word("_issuers", 1n), BigInt(PUBLISHER)],
      ],
    ],
  ]);
  const { count, first, last, values } = batch.header;
  const evidence: Evidence = {
    domain,
    anchor: ANCHOR,
    key: { kind, material: key.material, id: key.id },
    reading: signed,
    content: { kind: "scalar", ...measurement },
    batch: { count, first, last, values, proof: batch.prove(7) },
    entry: { publisher: PUBLISHER, index: BigInt(index), time: TIME, siblings },
    state: { header: headerOver(root), nodes },
  };
  return { evidence, peak };
}

/** What a plain bundle says to whoever already knows the peak: the text, the signature, the content, and the way to the peak. */
function checkPlain(text: string, peak: Uint8Array): boolean {
  const evidence = readEvidence(text);
  const digest = digestOf(evidence);
  return (
    signatureFindings(evidence, digest).every(({ holds }) => holds) &&
    leadsTo(peak, evidence, digest, BigInt(ENTRIES), evidence.entry.siblings)
  );
}

const [kind = "", plain] = (process.argv[2] ?? "").split("-");
const { evidence, peak } = await bundleOf(kind);
const { state, ...rest } = evidence;
const json = writeEvidence(plain ? rest : evidence);
const trusted = toHex(keccak256(state?.header ?? new Uint8Array()));
const check = async (): Promise<boolean> =>
  plain ? checkPlain(json, peak) : (await verifyLight(json, { trusted })).holds;
if (!(await check())) throw new Error("The bundle doesn't hold.");
const start = process.cpuUsage();
for (let k = 0; k < CHECKS; k++) await check();
const { user, system } = process.cpuUsage(start);
const milliseconds = (user + system) / 1000;
console.log(
  JSON.stringify({
    milliseconds,
    mebibytes: process.resourceUsage().maxRSS / 1024,
    perSecond: Math.round((CHECKS * 1000) / milliseconds),
    bundleBytes: json.length,
  }),
);
