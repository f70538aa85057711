import { AbiCoder, type InterfaceAbi, keccak256 } from "ethers";
import { Batch } from "../toolkit/anchoring/batches.js";
import { EntryDigests } from "../toolkit/anchoring/entries.js";
import { entryLeaf, MountainRange } from "../toolkit/anchoring/mountain-range.js";
import type { SignedReading } from "../toolkit/anchoring/readings.js";
import { DataAnchor__factory, DeviceRegistry__factory, ITC__factory } from "../toolkit/contracts.js";
import { Digests } from "../toolkit/identity/digests.js";
import { type CurveKind, type DeviceKey, deviceKey, signerOf } from "../toolkit/identity/keys.js";
import { LotTree } from "../toolkit/identity/lots.js";
import { fromHex, toHex } from "../toolkit/internal/bytes.js";
import type { Account } from "../toolkit/testing/chain.js";
import { secretOf } from "../toolkit/testing/fixture.js";
import { type Bench, easContract, type Measured, mock } from "./rig.js";

const MILLION = 1_000_000;
const BATCH = 4_096;
const MANY = 100;
const APPENDS = 1_024;
const BOND = 10n ** 18n;
const NEVER = 4_000_000_000n;
const PLANTED_TIME = 1_800_000_000n;
const { abi } = DataAnchor__factory;

/** Appends by an account, in a device's word and for many devices; proofs; and what others take for less. */
export async function measureAnchoring(bench: Bench): Promise<Measured[]> {
  const publisher = await bench.account("publisher");
  const peers = await measurePeers(bench, publisher);
  const appended = await mean(APPENDS, (k) =>
    bench.send(publisher, bench.addresses.DataAnchor, abi, "append", [publisher.address, k, entryOf(k)]),
  );
  const relayed = await measureRelays(bench);
  const planted = await plantMillion(bench);
  return [
    { id: "anchoring.append.mean1024", gas: appended, peer: peers.mapping },
    { id: "anchoring.relayed.p256", gas: relayed.p256 },
    { id: "anchoring.relayedBatch100.each", gas: relayed.many, peer: peers.multiTimestamp },
    { id: "anchoring.verifyEntry.1M", gas: await planted.proveEntry() },
    { id: "anchoring.verifyReading", gas: await planted.proveReading() },
  ];
}

/** A mapping of times, EAS's timestamps, and an event alone. */
async function measurePeers(bench: Bench, publisher: Account) {
  const plain = await mock("PlainStamps");
  const stamps = await bench.deploy(plain.abi, plain.bytecode, []);
  const eas = await easContract("EAS");
  const schemas = await easContract("SchemaRegistry");
  const easAddress = await bench.deploy(eas.abi, eas.bytecode, [await bench.deploy(schemas.abi, schemas.bytecode, [])]);
  const hashes = (from: number): string[] => Array.from({ length: MANY }, (_, k) => secretOf(3, `stamp ${from + k}`));
  const each = (to: string, of: InterfaceAbi, method: string) =>
    mean(16, (k) => bench.send(publisher, to, of, method, [secretOf(2, `${method} ${k}`)]));
  const mapping = await each(stamps, plain.abi, "stamp");
  const timestamp = await each(easAddress, eas.abi, "timestamp");
  const event = await each(stamps, plain.abi, "emitOnly");
  const many = await bench.send(publisher, easAddress, eas.abi, "multiTimestamp", [hashes(0)]);
  console.error(
    `append, beside it: a mapping of times ${mapping}, EAS timestamp ${timestamp}, an event alone ${event}`,
  );
  return {
    mapping: { name: "a mapping of times", gas: mapping, measured: true },
    multiTimestamp: {
      name: "EAS multiTimestamp, no signature, no order",
      gas: Math.ceil(many / MANY),
      measured: true,
    },
  };
}

/** Entries in devices' words: one by one, and those of 100 devices at once, whose logs have some already. */
async function measureRelays(bench: Bench): Promise<{ p256: number; many: number }> {
  const { operator, addresses, chain } = bench;
  const digests = new EntryDigests({ chainId: chain.id, anchor: addresses.DataAnchor });
  const one = deviceKey("p256", fromHex(secretOf(1, "relayed")));
  const other = deviceKey("secp256k1", fromHex(secretOf(1, "relayed")));
  const fleets = { secp256k1: group("secp256k1"), p256: group("p256") };
  await activateAll(bench, [one, other, ...fleets.secp256k1, ...fleets.p256]);
  const signed = (key: DeviceKey, index: number): string =>
    toHex(key.sign(digests.entry({ device: key.id, index: BigInt(index), entry: fromHex(entryOf(index)) })));
  const relay = async (key: DeviceKey): Promise<{ mean: number; typical: number }> => {
    const gas: number[] = [];
    for (let k = 0; k < APPENDS; k++) {
      const args = [key.id, k, entryOf(k), signerOf(key, addresses), signed(key, k)];
      gas.push(await bench.send(operator, addresses.DataAnchor, abi, "appendFor", args));
    }
    // At even positions no peak is read. The dearest of them counts, after the very first, which also makes the log.
    const even = gas.filter((_, k) => k % 2 === 0 && k > 0);
    return { mean: Math.round(gas.reduce((sum, one) => sum + one, 0) / APPENDS), typical: Math.max(...even) };
  };
  const many = async (keys: readonly DeviceKey[]): Promise<number> => {
    const gas: number[] = [];
    for (let index = 0; index < 16; index++) {
      const args = [
        keys.map(({ id }) => id),
        keys.map(() => index),
        keys.map(() => entryOf(index)),
        keys.map((key) => signerOf(key, addresses)),
        keys.map((key) => signed(key, index)),
      ];
      gas.push(await bench.send(operator, addresses.DataAnchor, abi, "appendMany", args));
    }
    // The ninth to the sixteenth: from then on a new peak is rare.
    return Math.ceil(gas.slice(8).reduce((sum, one) => sum + one, 0) / 8 / MANY);
  };
  const [p256, secp256k1] = [await relay(one), await relay(other)];
  const [each, eachP256] = [await many(fleets.secp256k1), await many(fleets.p256)];
  console.error(`relayed, mean of 1,024: P-256 ${p256.mean}, secp256k1 ${secp256k1.mean}`);
  console.error(`relayed at even positions: secp256k1 ${secp256k1.typical}; 100 devices with P-256, each ${eachP256}`);
  return { p256: p256.typical, many: each };
}

function group(kind: CurveKind): DeviceKey[] {
  return Array.from({ length: MANY }, (_, k) => deviceKey(kind, fromHex(secretOf(1, `relayed ${kind} ${k}`))));
}

/** Activates devices of a new lot, made by a new maker, for the operator. */
export async function activateAll(bench: Bench, keys: readonly DeviceKey[], label = "publishers"): Promise<void> {
  const { operator, addresses, chain } = bench;
  const maker = await bench.account(`maker of ${label}`);
  const registry = DeviceRegistry__factory.abi;
  await bench.send(operator, addresses.ITC, ITC__factory.abi, "transfer", [maker.address, 1_000n * BOND]);
  await bench.send(maker, addresses.ITC, ITC__factory.abi, "approve", [addresses.DeviceRegistry, 2n ** 256n - 1n]);
  await bench.send(operator, addresses.DeviceRegistry, registry, "registerIssuer", [maker.address, label]);
  const lot = new LotTree(keys);
  await bench.send(maker, addresses.DeviceRegistry, registry, "enrolLot", [lot.root, keys.length, 2, BOND]);
  const id = lot.idFor(maker.address);
  const digests = new Digests({ chainId: chain.id, registry: addresses.DeviceRegistry });
  for (const key of keys) {
    const owner = operator.address;
    const signature = key.sign(digests.activation({ device: key.id, lot: id, owner, deadline: NEVER }));
    const { path, siblings } = lot.prove(key.id);
    const args = [id, signerOf(key, addresses), owner, signature, NEVER, path, siblings];
    await bench.send(operator, addresses.DeviceRegistry, registry, "activate", args);
  }
}

/** Where an entry is in a log that wasn't grown by appends. */
export interface Planted {
  readonly publisher: string;
  readonly size: number;
  readonly place: number;
  readonly entry: Uint8Array;
  readonly time: bigint;
}

/** Puts the peaks of a log where appends would have left them, and proves its one real entry. */
export async function plantLog(bench: Bench, { publisher, size, place, entry, time }: Planted): Promise<Uint8Array[]> {
  const range = new MountainRange();
  for (let k = 0; k < size; k++) {
    range.append(entryLeaf(k === place ? entry : fromHex(k.toString(16).padStart(64, "0")), time));
  }
  // The mapping of logs has slot 2, after the two of OpenZeppelin's EIP712.
  const base = BigInt(keccak256(AbiCoder.defaultAbiCoder().encode(["address", "uint256"], [publisher, 2])));
  const put = (slot: bigint, value: string) =>
    bench.rpc("hardhat_setStorageAt", [bench.addresses.DataAnchor, `0x${slot.toString(16)}`, value]);
  await put(base, `0x${((time << 64n) | BigInt(size)).toString(16).padStart(64, "0")}`);
  for (let height = 0; 2 ** height <= size; height++) {
    const peak = range.peak(height);
    if (peak) await put(base + 1n + BigInt(height), toHex(peak));
  }
  return range.prove(place);
}

/** One entry of a log of a million is a batch of 4,096 readings. */
async function plantMillion(bench: Bench) {
  const { addresses, chain } = bench;
  const publisher = `0x${"ab".repeat(20)}`;
  const digests = new Digests({ chainId: chain.id, registry: addresses.DeviceRegistry });
  const place = 12_345;
  const batch = batchOf(digests);
  const logSiblings = await plantLog(bench, {
    ...{ publisher, size: MILLION, place },
    ...{ entry: batch.entry, time: PLANTED_TIME },
  });
  const contract = DataAnchor__factory.connect(addresses.DataAnchor, chain.reader);
  const execution = (whole: bigint, data: string): number => Number(whole - intrinsicOf(fromHex(data)));
  return {
    async proveEntry(): Promise<number> {
      const said = [publisher, place, PLANTED_TIME, batch.entry, logSiblings] as const;
      if (!(await contract.verifyEntry(...said))) throw new Error("The entry of the planted log isn't proved.");
      const data = contract.interface.encodeFunctionData("verifyEntry", [...said]);
      return execution(await contract.verifyEntry.estimateGas(...said), data);
    },
    async proveReading(): Promise<number> {
      const { count, first, last, values } = batch.header;
      const { path, siblings } = batch.prove(999);
      const reading = batch.readings[999];
      if (!reading) throw new Error("There is no such reading.");
      const where = {
        publisher,
        index: place,
        entryTime: PLANTED_TIME,
        count,
        first,
        last,
        values: toHex(values),
        path,
        batchSiblings: [...siblings],
        logSiblings,
      };
      if (!(await contract.verifyReading(reading, where))) throw new Error("The planted reading isn't proved.");
      const data = contract.interface.encodeFunctionData("verifyReading", [reading, where]);
      return execution(await contract.verifyReading.estimateGas(reading, where), data);
    },
  };
}

/** 4,096 readings; nobody looks at their signatures here. */
function batchOf(digests: Digests): Batch {
  const schema = fromHex(secretOf(1, "schema"));
  const device = deviceKey("secp256k1", fromHex(secretOf(1, "relayed"))).id;
  const readings = Array.from({ length: BATCH }, (_, k): SignedReading => {
    const content = fromHex(secretOf(1, `content ${k}`));
    return { device, sequence: BigInt(k), time: PLANTED_TIME, schema, content, signature: new Uint8Array() };
  });
  return new Batch(readings, digests);
}

/** What a transaction costs before its first instruction: 21,000, and 4 or 16 a byte of calldata (EIP-2028). */
function intrinsicOf(data: Uint8Array): bigint {
  return 21_000n + data.reduce((sum, byte) => sum + (byte === 0 ? 4n : 16n), 0n);
}

function entryOf(k: number): string {
  return secretOf(1, `entry ${k}`);
}

async function mean(times: number, once: (k: number) => Promise<number>): Promise<number> {
  let sum = 0;
  for (let k = 0; k < times; k++) sum += await once(k);
  return Math.round(sum / times);
}
