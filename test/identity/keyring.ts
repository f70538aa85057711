import { generateKeyPairSync } from "node:crypto";
import { p256 } from "@noble/curves/nist.js";
import { expect } from "chai";
import { type ContractTransactionResponse, encodeBytes32String, getAddress, type Signer } from "ethers";
import {
  contractKey,
  type DeviceId,
  deviceIdOf,
  KEY_KINDS,
  type PublicKey,
  rsaKey,
  signerOf,
} from "../../toolkit/identity/keys.js";
import { LotTree } from "../../toolkit/identity/lots.js";
import { concat, fromHex, keccak256, toHex } from "../../toolkit/internal/bytes.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { type Deployed, deployed } from "../support.js";
import { BOND, type EnrolledLot, FAR, highS, keyOf, makeIssuer } from "./fleet.js";
import { WotsKey } from "./wots.js";

/** A key of any kind, one that the registrar has added included, and how a DID document shows it. */
export interface RingKey {
  readonly kind: number;
  readonly id: DeviceId;
  readonly signer: Uint8Array;
  /** The account of a kind whose keys are accounts, else the bytes of its Multikey. */
  readonly shown: string;
  sign(digest: Uint8Array): Uint8Array;
}

/** Two keys of each kind: the first of each pair is a device, the second is nobody's yet. */
export type Ring = Readonly<Record<RingName, readonly [RingKey, RingKey]>>;
export const RING_NAMES = ["secp256k1", "p256", "rsa2048", "erc1271", "wots"] as const;
export type RingName = (typeof RING_NAMES)[number];

export const WOTS_KIND = 4;
/** No multicodec is registered for Winternitz keys: one of the range for private use. */
export const WOTS_MULTICODEC = "0x8080c001";
export const FOREVER = 2n ** 256n - 1n;
const KEY_NAME = `0x${Buffer.from("did/pub/Multikey/sigAuth").toString("hex").padEnd(64, "0")}`;

// Made once: RSA keys take their time.
const rsaPairs = [0, 1].map(() => generateKeyPairSync("rsa", { modulusLength: 2048 }));

/** A key on a curve, the same in each run. */
export function curveKey(world: Deployed, label: string, kind: "secp256k1" | "p256"): RingKey {
  const key = keyOf(label, kind);
  const compressed = p256.getPublicKey(fromHex(secretOf(1, label)), true);
  return ringKey(world, key, kind === "p256" ? toHex(concat(fromHex("8024"), compressed)) : key.id, key.sign);
}

/** A key that is a MoodyWallet, whose owner signs for it. */
export async function walletKey(world: Deployed, label: string): Promise<RingKey> {
  const owner = keyOf(`owner of ${label}`);
  const wallet = await (await world.ethers.deployContract("MoodyWallet", [owner.id])).getAddress();
  return ringKey(world, contractKey(wallet), wallet, owner.sign);
}

/** A Winternitz key behind a verifier. It signs as often as a test likes: nobody forges here. */
export function wotsKey(verifier: string, label: string): RingKey {
  const secret = fromHex(secretOf(1, label));
  const material = new WotsKey(secret).publicKey;
  return {
    kind: WOTS_KIND,
    id: deviceIdOf(material),
    signer: concat(fromHex(verifier), material),
    shown: toHex(concat(fromHex(WOTS_MULTICODEC), material)),
    sign: (digest) => new WotsKey(secret).sign(digest),
  };
}

function ringKey(world: Deployed, key: PublicKey, shown: string, sign: RingKey["sign"]): RingKey {
  return { kind: KEY_KINDS[key.kind], id: key.id, signer: signerOf(key, world.addresses), shown, sign };
}

function rsaRingKey(world: Deployed, place: number): RingKey {
  const pair = rsaPairs[place];
  if (!pair) throw new RangeError("There are two RSA keys.");
  const key = rsaKey(pair.privateKey);
  const der = pair.publicKey.export({ type: "pkcs1", format: "der" });
  return ringKey(world, key, toHex(concat(fromHex("8524"), der)), key.sign);
}

/** Two keys of each kind, the registrar's later kind added. */
export async function makeRing(world: Deployed): Promise<Ring> {
  const verifier = await (await world.ethers.deployContract("WotsVerifier")).getAddress();
  await world.registry.addKeyKind(verifier, WOTS_MULTICODEC);
  return {
    secp256k1: [curveKey(world, "ring-0", "secp256k1"), curveKey(world, "ring-1", "secp256k1")],
    p256: [curveKey(world, "ring-2", "p256"), curveKey(world, "ring-3", "p256")],
    rsa2048: [rsaRingKey(world, 0), rsaRingKey(world, 1)],
    erc1271: [await walletKey(world, "ring-4"), await walletKey(world, "ring-5")],
    wots: [wotsKey(verifier, "ring-6"), wotsKey(verifier, "ring-7")],
  };
}

/** Enrols a lot of any kinds of keys. */
export async function enrolRing(
  world: Deployed,
  issuer: Signer,
  keys: readonly RingKey[],
  bond = BOND,
): Promise<EnrolledLot> {
  const tree = new LotTree(keys);
  await world.registry.connect(issuer).enrolLot(tree.root, keys.length, 2, bond);
  return { id: tree.idFor(await issuer.getAddress()), tree };
}

/** Activates a device with its own signature, or with other bytes. */
export function activateKey(world: Deployed, lot: EnrolledLot, key: RingKey, owner: string, signature?: Uint8Array) {
  const digest = world.digests.activation({ device: key.id, lot: lot.id, owner, deadline: FAR });
  const { path, siblings } = lot.tree.prove(key.id);
  const proof = siblings.map(toHex);
  return world.registry.activate(lot.id, key.signer, owner, signature ?? key.sign(digest), FAR, path, proof);
}

/** The event with which a key appears in a DID document, or leaves it. */
export function keyEvent(device: DeviceId, key: RingKey, validTo: bigint, previous: number): unknown[] {
  return key.kind === KEY_KINDS.secp256k1 || key.kind === KEY_KINDS.erc1271
    ? ["DIDDelegateChanged", device, encodeBytes32String("sigAuth"), getAddress(key.shown), validTo, BigInt(previous)]
    : ["DIDAttributeChanged", device, KEY_NAME, key.shown, validTo, BigInt(previous)];
}

/** The first 30 bytes of the hash of a signer, as `keyOf` gives them. */
export const fingerprint = (key: RingKey): string => toHex(keccak256(key.signer).subarray(0, 30));
export const NO_KEY = `0x${"00".repeat(30)}`;

/** A signature that says the same in another way, or too little: none of them may count. */
export function spoiled(key: RingKey, signature: Uint8Array): Uint8Array[] {
  const flipped = Uint8Array.from(signature, (byte, place) => (place === 40 ? byte ^ 1 : byte));
  const cut = [0, 1, 63, signature.length - 1].map((length) => signature.subarray(0, length));
  const bad = [flipped, ...cut, concat(signature, new Uint8Array(1)), new Uint8Array(signature.length)];
  if (key.kind === KEY_KINDS.p256) return [...bad, fromHex(highS(toHex(signature), "p256"))];
  if (signature.length !== 65) return bad;
  const v = Uint8Array.from(signature, (byte, place) => (place === 64 ? byte - 27 : byte));
  return [...bad, v, fromHex(highS(toHex(signature), "secp256k1"))];
}

/** Makes the registry believe that a device has had so many events about keys. Its key must have changed before. */
export async function wearOut({ ethers, networkHelpers, addresses }: Deployed, device: DeviceId, events: number) {
  for (let place = 0n; ; place++) {
    const slot = ethers.solidityPackedKeccak256(["uint256", "uint256"], [device, place]);
    const record = await ethers.provider.getStorage(addresses.DeviceRegistry, slot);
    // Of all that is kept under the device's address, its one slot alone is full: it begins with the count.
    if (record.startsWith("0x0000")) continue;
    await networkHelpers.setStorageAt(
      addresses.DeviceRegistry,
      slot,
      `0x${events.toString(16).padStart(4, "0")}${record.slice(6)}`,
    );
    return;
  }
}

/** For a suite: a maker with a device of each kind, all of one owner's, and the spare keys; anew for each test. */
export function keyedFleet(hardfork: "osaka" | "prague" = "osaka") {
  let world: Deployed;
  let ring: Ring;
  let lot: EnrolledLot;
  let restore: () => Promise<void>;
  const signer = (k: number) => world.accounts[k] ?? world.operator;
  const maker = () => signer(0);
  const owner = () => signer(1);
  const stranger = () => signer(2);
  const other = () => signer(3);
  const now = async () => BigInt(await world.networkHelpers.time.latest());

  before(async () => {
    world = await deployed(hardfork);
    await makeIssuer(world, maker());
    ring = await makeRing(world);
    const devices = RING_NAMES.map((name) => ring[name][0]);
    lot = await enrolRing(world, maker(), devices);
    for (const device of devices) await activateKey(world, lot, device, owner().address);
  });

  beforeEach(async () => {
    const snapshot = await world.networkHelpers.takeSnapshot();
    restore = () => snapshot.restore();
  });

  afterEach(() => restore());

  /** All that the registry says of a device, and where ITC is. */
  async function stateOf(device: DeviceId): Promise<string> {
    const { registry, itc, addresses } = world;
    const said = await Promise.all([
      registry.deviceOf(device),
      registry.standingOf(device),
      registry.keyOf(device),
      registry.changed(device),
      registry.identityOwner(device),
      registry.cancelRecoveryDigest(device),
      registry.keyChangeDigest(device, "0x", 0n),
      registry.pool(),
      itc.balanceOf(addresses.DeviceRegistry),
      itc.balanceOf(maker().address),
      itc.balanceOf(stranger().address),
    ]);
    return JSON.stringify(said, (_, value) => (typeof value === "bigint" ? value.toString() : value));
  }

  /** Refused with this error and these words, and nothing has changed. */
  async function refused(
    device: DeviceId,
    attempt: () => Promise<ContractTransactionResponse>,
    error: string,
    ...args: unknown[]
  ): Promise<void> {
    const before = await stateOf(device);
    await expect(attempt())
      .to.be.revertedWithCustomError(world.registry, error)
      .withArgs(...args);
    expect(await stateOf(device)).to.equal(before);
  }

  /** The registry's events of a transaction, by name, and its block and time. */
  async function eventsOf(attempt: Promise<ContractTransactionResponse>) {
    const receipt = await (await attempt).wait();
    const block = await receipt?.getBlock();
    if (!receipt || !block) throw new Error("The transaction was not mined.");
    const events = receipt.logs
      .filter(({ address }) => address === world.addresses.DeviceRegistry)
      .map((log) => {
        const parsed = world.registry.interface.parseLog(log);
        return parsed ? [parsed.name, ...parsed.args.toArray()] : [];
      });
    return { events, block: receipt.blockNumber, time: BigInt(block.timestamp) };
  }

  /** Whether the registry takes this key's word for the device. */
  function counts(device: DeviceId, key: RingKey): Promise<boolean> {
    const digest = fromHex(secretOf(1, "anything"));
    return world.registry.isSignedByDevice(device, digest, key.signer, key.sign(digest));
  }

  /** What both keys sign for a change. */
  async function keyChange(device: DeviceId, next: RingKey, deadline = FAR): Promise<Uint8Array> {
    return fromHex(await world.registry.keyChangeDigest(device, next.signer, deadline));
  }

  /** A rotation that is right. */
  async function rotate(device: DeviceId, from: RingKey, to: RingKey) {
    const digest = await keyChange(device, to);
    const registry = world.registry.connect(stranger());
    return registry.rotateKey(device, from.signer, to.signer, FAR, from.sign(digest), to.sign(digest));
  }

  return {
    world: () => world,
    registry: (who = stranger()) => world.registry.connect(who),
    ring: () => ring,
    lot: () => lot,
    maker,
    owner,
    stranger,
    other,
    now,
    refused,
    eventsOf,
    counts,
    keyChange,
    rotate,
  };
}
