import { readFile } from "node:fs/promises";
import { encodeBytes32String, type InterfaceAbi } from "ethers";
import { DeviceRegistry__factory, ITC__factory } from "../toolkit/contracts.js";
import { Digests } from "../toolkit/identity/digests.js";
import { type DeviceId, type DeviceKey, deviceKey, signerOf } from "../toolkit/identity/keys.js";
import { type Listed, LotTree } from "../toolkit/identity/lots.js";
import { fromHex, toHex } from "../toolkit/internal/bytes.js";
import { type Account, accountOf } from "../toolkit/testing/chain.js";
import { secretOf } from "../toolkit/testing/fixture.js";
import { Artifact, type Bench, type Measured } from "./rig.js";

const MILLION = 1_000_000;
const BATCH = 50;
const BOND = 10n ** 18n;
const NEVER = 4_000_000_000n;
const { abi } = DeviceRegistry__factory;

type Kind = "secp256k1" | "p256";

/** An enrolled lot of a million, in which devices of four groups stand where the figure wants them. */
interface Fleet {
  readonly lot: LotTree;
  readonly id: ReturnType<LotTree["idFor"]>;
  /** Fifty that give each owner its first device. */
  readonly owned: readonly DeviceKey[];
  readonly scattered: readonly DeviceKey[];
  readonly contiguous: readonly DeviceKey[];
  readonly secure: readonly DeviceKey[];
  readonly owners: readonly string[];
}

/** Activates fifty devices at once, replaces keys, sets an attribute again. */
export async function measureRegistry(bench: Bench): Promise<Measured[]> {
  const fleet = await enrol(bench);
  await activateBatch(bench, fleet, fleet.owned);
  const scattered = await activateBatch(bench, fleet, fleet.scattered);
  const contiguous = await activateBatch(bench, fleet, fleet.contiguous);
  const secure = await activateBatch(bench, fleet, fleet.secure);
  console.error(`activateBatch50.each: at random places ${scattered}, P-256 at random places ${secure}`);
  return [
    {
      id: "identity.activateBatch50.each",
      gas: contiguous,
      peer: { name: "DIMO, as published", gas: 99_000, measured: false },
    },
    {
      id: "identity.rotateKey",
      gas: await rotations(bench, fleet),
      peer: { name: "DIMO, as published, without the new key's word", gas: 89_000, measured: false },
    },
    await attributes(bench, fleet),
  ];
}

async function enrol(bench: Bench): Promise<Fleet> {
  const { operator, addresses } = bench;
  const maker = await bench.account("maker of many");
  const registry = addresses.DeviceRegistry;
  await bench.send(operator, addresses.ITC, ITC__factory.abi, "transfer", [maker.address, 2n * BigInt(MILLION) * BOND]);
  await bench.send(maker, addresses.ITC, ITC__factory.abi, "approve", [registry, 2n ** 256n - 1n]);
  await bench.send(operator, registry, abi, "registerIssuer", [maker.address, "Maker of many"]);
  const group = (label: string, kind: Kind = "secp256k1") =>
    Array.from({ length: BATCH }, (_, k) => deviceKey(kind, fromHex(secretOf(1, `${label} ${k}`))));
  const [owned, scattered, contiguous] = [group("owned"), group("scattered"), group("contiguous")];
  const secure = group("secure", "p256");
  const listed = Array.from({ length: MILLION }, (_, k): Listed => {
    return { kind: "secp256k1", id: `0x${(k + 1).toString(16).padStart(40, "0")}` as DeviceId };
  });
  contiguous.forEach((key, k) => {
    listed[500_000 + k] = key;
  });
  const taken = new Set<number>();
  for (const [k, key] of [...owned, ...scattered, ...secure].entries()) {
    const place = Number(BigInt(secretOf(k, "place")) % BigInt(MILLION));
    if (taken.has(place) || Math.abs(place - 500_025) < BATCH) throw new Error(`Place ${place} is taken.`);
    taken.add(place);
    listed[place] = key;
  }
  const lot = new LotTree(listed);
  await bench.send(maker, registry, abi, "enrolLot", [lot.root, MILLION, 2, BOND]);
  const holder = await bench.account("holder");
  const others = Array.from({ length: BATCH - 1 }, (_, k) => accountOf(secretOf(k, "owner of one")).address);
  const owners = [holder.address, ...others];
  return { lot, id: lot.idFor(maker.address), owned, scattered, contiguous, secure, owners };
}

/** Gas of each device, rounded up. */
async function activateBatch(bench: Bench, { lot, id, owners }: Fleet, keys: readonly DeviceKey[]): Promise<number> {
  const { operator, addresses } = bench;
  const digests = digestsOf(bench);
  const { devices, places, leaves, siblings } = lot.proveMany(keys.map((key) => key.id));
  const ordered = devices.flatMap((device) => keys.filter((key) => key.id === device));
  const signatures = ordered.map((key, k) =>
    key.sign(digests.activation({ device: key.id, lot: id, owner: owners[k] ?? "", deadline: NEVER })),
  );
  const signers = ordered.map((key) => signerOf(key, addresses));
  const args = [id, NEVER, signers, owners, signatures, places, leaves, siblings];
  return Math.ceil((await bench.send(operator, addresses.DeviceRegistry, abi, "activateBatch", args)) / keys.length);
}

/**
 * Replaces the first key of a device by another, in each of four pairs of kinds, and then a key of the first pair once more: what counts is a
 * device that has rotated before, whose slot for the key is in use.
 */
async function rotations(bench: Bench, fleet: Fleet): Promise<number> {
  const figures: Record<string, number> = {};
  for (const [k, from] of (["secp256k1", "p256"] as const).entries()) {
    for (const [m, to] of (["secp256k1", "p256"] as const).entries()) {
      const key = (from === "p256" ? fleet.secure : fleet.contiguous)[2 * k + m];
      if (!key) throw new Error("There is no device whose key could be replaced.");
      const next = deviceKey(to, fromHex(secretOf(1, `next of ${from} ${to}`)));
      const signer = signerOf(next, bench.addresses);
      const digest = digestsOf(bench).keyChange({ device: key.id, signer, nonce: 0n, deadline: NEVER });
      const present = signerOf(key, bench.addresses);
      const args = [key.id, present, signer, NEVER, key.sign(digest), next.sign(digest)];
      figures[`${from} → ${to}`] = await bench.send(
        bench.operator,
        bench.addresses.DeviceRegistry,
        abi,
        "rotateKey",
        args,
      );
    }
  }
  console.error(`rotateKey, first time: ${JSON.stringify(figures)}`);
  return again(bench, fleet.contiguous[0]);
}

async function again(bench: Bench, key: DeviceKey | undefined): Promise<number> {
  if (!key) throw new Error("There is no device whose key could be replaced.");
  const [present, next] = ["secp256k1 secp256k1", "third"].map((label) =>
    deviceKey("secp256k1", fromHex(secretOf(1, `next of ${label}`))),
  );
  if (!present || !next) throw new Error("There are no keys to replace it by.");
  const signer = signerOf(next, bench.addresses);
  // Two events about keys so far: one fell, one came.
  const digest = digestsOf(bench).keyChange({ device: key.id, signer, nonce: 2n, deadline: NEVER });
  const signatures = [present.sign(digest), next.sign(digest)];
  const args = [key.id, signerOf(present, bench.addresses), signer, NEVER, ...signatures];
  return bench.send(bench.operator, bench.addresses.DeviceRegistry, abi, "rotateKey", args);
}

/** Sets an attribute for the second time, here and in the reference registry of ERC-1056. */
async function attributes(bench: Bench, fleet: Fleet): Promise<Measured> {
  const holder = await bench.account("holder");
  // The package exports its bindings alone; the artifact lies beside them.
  const [home = ""] = /^.*\/ethr-did-registry\//.exec(import.meta.resolve("ethr-did-registry")) ?? [];
  const path = "artifacts/contracts/EthereumDIDRegistry.sol/EthereumDIDRegistry.json";
  const reference = Artifact.parse(JSON.parse(await readFile(new URL(path, home), "utf8")));
  const peer = await bench.deploy(reference.abi, reference.bytecode, []);
  const set = async (registry: string, of: InterfaceAbi, identity: string, by: Account): Promise<number> => {
    const name = encodeBytes32String("did/svc/Hub");
    const value = new TextEncoder().encode("https://hub.example/things");
    const args = [identity, name, toHex(value), 86_400];
    await bench.send(by, registry, of, "setAttribute", args);
    return bench.send(by, registry, of, "setAttribute", args);
  };
  const theirs = await set(peer, reference.abi, holder.address, holder);
  // The first of the first batch belongs to the first owner.
  const [device] = fleet.lot.proveMany(fleet.owned.map((key) => key.id)).devices;
  if (!device) throw new Error("There is no device to describe.");
  const gas = await set(bench.addresses.DeviceRegistry, abi, device, holder);
  return {
    id: "identity.setAttribute.again",
    gas,
    peer: { name: "ethr-did-registry", gas: theirs, measured: true },
  };
}

function digestsOf({ chain, addresses }: Bench): Digests {
  return new Digests({ chainId: chain.id, registry: addresses.DeviceRegistry });
}
