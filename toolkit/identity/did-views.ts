import { AbiCoder, type ContractRunner, getAddress, type LogDescription, type Provider, ZeroAddress } from "ethers";
import { DeviceRegistry__factory } from "../contracts.js";
import { concat, fromHex, keccak256, sameBytes, toHex, uintBytes, word } from "../internal/bytes.js";
import {
  type AttributeChange,
  accountMethod,
  assembleDocument,
  type DidChange,
  DidError,
  deactivatedDocument,
  deviceDid,
  type NumberedMethod,
  p256Multikey,
  type ResolvedDid,
  servicesOf,
  textOf,
} from "./did.js";
import { deviceIdOf } from "./keys.js";

/** What a device or its owner keeps, so that others can have the DID document without the chain's events. */
export interface Presented {
  /** The ERC-7913 signer of the present key; empty if none holds. */
  readonly signer: Uint8Array;
  /** All changes of attributes that there ever were, oldest first. */
  readonly attributes: readonly AttributeChange[];
}

type At = { readonly blockTag: number };

/** The views of a `DeviceRegistry` that a document is made of. */
export interface DidViews {
  readonly runner: ContractRunner | null;
  getAddress(): Promise<string>;
  changed(device: string, at: At): Promise<bigint>;
  identityOwner(device: string, at: At): Promise<string>;
  keyOf(device: string, at: At): Promise<readonly [signer: string, number: bigint]>;
  keyKindOf(kind: bigint, at: At): Promise<readonly [verifier: string, multicodec: string]>;
  deviceOf(device: string, at: At): Promise<readonly [state: bigint, kind: bigint, ...rest: unknown[]]>;
  delegatesOf(
    device: string,
    at: At,
  ): Promise<
    readonly [
      types: readonly string[],
      accounts: readonly string[],
      validTo: readonly bigint[],
      numbers: readonly bigint[],
    ]
  >;
  attributesOf(device: string, at: At): Promise<bigint>;
}

/** A document, and as of when. */
export interface DocumentAt extends ResolvedDid {
  readonly block: number;
  /** Time of the block, Unix seconds: what had ended then is left out. */
  readonly time: bigint;
}

// Kinds of key, as `KeyKinds` in Solidity numbers them; the registrar may add more.
const SECP256K1 = 0n;
const P256 = 1n;
const RSA_2048 = 2n;
const ERC_1271 = 3n;

const ADDRESS_BYTES = 20;
const KEY_HASH_BYTES = 30;
const RSA_PREFIX = fromHex("3082010a0282010100");
const RSA_SUFFIX = fromHex("0203010001");

/** Longest history that is read unless told otherwise; a node that serves more is not believed. */
const MAX_CHANGES = 10_000;

/**
 * The DID document of a device from views of its registry alone: no events, so any node will do, a light client too. What the device
 * presents is believed only as far as the views confirm it.
 *
 * @param registry A `DeviceRegistry`, connected to a provider.
 * @param device Its address.
 * @param presented See {@link presentationOf}.
 * @param blockTag The version of that block; the latest if left out.
 * @returns The document that a did:ethr resolver shows for the block. Errors: ITC_DID_KEY, ITC_DID_ATTRIBUTES for what the chain doesn't
 *   confirm, ITC_DID_NO_NODE, and the node's own failures.
 * @example
 * const { didDocument } = await documentFromViews(registry, key.id, { signer: signerOf(key, p256Verifier), attributes: [] });
 */
export async function documentFromViews(
  registry: DidViews,
  device: string,
  presented: Presented,
  blockTag?: number,
): Promise<DocumentAt> {
  const provider = providerOf(registry);
  const [{ chainId }, block] = await Promise.all([provider.getNetwork(), provider.getBlock(blockTag ?? "latest")]);
  if (!block)
    throw new DidError("ITC_DID_NO_BLOCK", `The node has no block ${blockTag}.`, "Ask for one that there is.");
  const [time, at] = [BigInt(block.timestamp), { blockTag: block.number }];
  const did = deviceDid(chainId, device);
  const owner = await registry.identityOwner(device, at);
  if (owner === ZeroAddress) return { ...deactivatedDocument(did), block: block.number, time };
  const [key, delegates, digest] = await Promise.all([
    keyMethod(registry, device, presented.signer, chainId, at),
    delegateMethods(registry, device, chainId, time, at),
    registry.attributesOf(device, at),
  ]);
  if (attributesDigest(presented.attributes) !== digest) {
    throw new DidError(
      "ITC_DID_ATTRIBUTES",
      "The attributes aren't those of the chain.",
      "Ask for all, in their order.",
    );
  }
  const document = assembleDocument(did, owner, [...key, ...delegates], servicesOf(presented.attributes, time));
  return { ...document, block: block.number, time };
}

/**
 * What the device or its owner keeps for {@link documentFromViews}: reads all attribute changes from the chain of ERC-1056 events. The node
 * may lie or forget: what it serves must be a chain, and its attributes those to which the registry has committed.
 *
 * @param signer The ERC-7913 signer of the present key, see `signerOf`; empty if none holds.
 * @param mostChanges How long a history is read.
 * @returns Errors: ITC_DID_HISTORY, ITC_DID_ATTRIBUTES, ITC_DID_NO_NODE.
 */
export async function presentationOf(
  registry: DidViews,
  device: string,
  signer: Uint8Array,
  mostChanges = MAX_CHANGES,
): Promise<Presented> {
  const at = { blockTag: await providerOf(registry).getBlockNumber() };
  const changes = await changesOf(registry, device, at.blockTag, mostChanges);
  const attributes = changes.flatMap(({ change }) => {
    // The device's own keys are attributes too, in a section that owners can't write to.
    if (change.kind !== "attribute" || textOf(change.name)?.startsWith("did/pub/")) return [];
    const { kind, ...attribute } = change;
    return [attribute];
  });
  if (attributesDigest(attributes) !== (await registry.attributesOf(device, at))) {
    throw new DidError("ITC_DID_ATTRIBUTES", "The node's events aren't those of the chain.", "Ask another node.");
  }
  return { signer, attributes };
}

/** The low 216 bits of keccak256(abi.encode(digest, name, keccak256(value), validTo)), change after change from 0: the registry's `attributesOf`. */
export function attributesDigest(attributes: readonly AttributeChange[]): bigint {
  return attributes.reduce((digest, { name, value, validTo }) => {
    const hash = keccak256(uintBytes(digest, 32), name, keccak256(value), uintBytes(validTo, 32));
    return BigInt.asUintN(216, BigInt(toHex(hash)));
  }, 0n);
}

/**
 * The ERC-1056 events of an identity up to a block, oldest first, by following `previousChange` from `changed`. Within a block each event
 * but the first names the block itself, as in the reference registry. Errors: ITC_DID_HISTORY for events that are no such chain.
 */
export async function changesOf(
  registry: Pick<DidViews, "runner" | "getAddress" | "changed">,
  device: string,
  blockTag: number,
  mostChanges = MAX_CHANGES,
): Promise<readonly { readonly block: number; readonly change: DidChange }[]> {
  const [provider, address] = [providerOf(registry), await registry.getAddress()];
  const topics = [null, toHex(word(fromHex(device)))];
  const blocks: { block: number; change: DidChange }[][] = [];
  let count = 0;
  let block = Number(await registry.changed(device, { blockTag }));
  if (block > blockTag) throw brokenHistory(block);
  while (block > 0) {
    const logs = await provider.getLogs({ address, topics, fromBlock: block, toBlock: block });
    const events = [...logs].sort((a, b) => a.index - b.index).flatMap(eventOf);
    const [first, ...others] = events;
    const chained = first !== undefined && first.previous < block && others.every(({ previous }) => previous === block);
    if (!chained || (count += events.length) > mostChanges) throw brokenHistory(block);
    const at = block;
    blocks.push(events.map(({ change }) => ({ block: at, change })));
    block = first.previous;
  }
  return blocks.reverse().flat();
}

const events = DeviceRegistry__factory.createInterface();

type Event = { readonly previous: number; readonly change: DidChange };

/** None for a log that is no ERC-1056 event, whatever a node made of it. */
function eventOf(log: { readonly topics: readonly string[]; readonly data: string }): Event[] {
  let event: LogDescription | null;
  try {
    event = log.topics.length > 0 ? events.parseLog(log) : null;
  } catch {
    return [];
  }
  if (!event) return [];
  const { args } = event;
  const previous = Number(args.previousChange);
  switch (event.name) {
    case "DIDOwnerChanged":
      return [{ previous, change: { kind: "owner", owner: String(args.owner) } }];
    case "DIDDelegateChanged": {
      const [type, delegate] = [fromHex(String(args.delegateType)), String(args.delegate)];
      return [{ previous, change: { kind: "delegate", type, delegate, validTo: BigInt(args.validTo) } }];
    }
    case "DIDAttributeChanged": {
      const [name, value] = [fromHex(String(args.name)), fromHex(String(args.value))];
      return [{ previous, change: { kind: "attribute", name, value, validTo: BigInt(args.validTo) } }];
    }
    default:
      return [];
  }
}

function brokenHistory(block: number): DidError {
  const what = `The node's events of block ${block} don't continue the device's history.`;
  return new DidError("ITC_DID_HISTORY", what, "Ask another node, one that keeps all events.");
}

function providerOf({ runner }: Pick<DidViews, "runner">): Provider {
  if (runner?.provider) return runner.provider;
  throw new DidError("ITC_DID_NO_NODE", "The registry has no node.", "Connect it to a provider.");
}

/** The device's own key, if it holds one. */
async function keyMethod(
  registry: DidViews,
  device: string,
  signer: Uint8Array,
  chainId: bigint,
  at: At,
): Promise<readonly NumberedMethod[]> {
  const [[hash, number], [, kind]] = await Promise.all([registry.keyOf(device, at), registry.deviceOf(device, at)]);
  const refused = new DidError("ITC_DID_KEY", `That isn't the key of ${device}.`, "Ask for the present one.");
  if (number === 0n) {
    if (signer.length !== 0) throw refused;
    return [];
  }
  const [verifier, multicodec] = await registry.keyKindOf(kind, at);
  const plain = kind === SECP256K1;
  const key = plain ? signer : signer.subarray(ADDRESS_BYTES);
  // The device's id is of the key alone: who verifies it, the registry says.
  const byVerifier = plain || sameBytes(signer.subarray(0, ADDRESS_BYTES), fromHex(verifier));
  if (!byVerifier || !(BigInt(hash) === 0n ? isFirstKey(device, key, plain) : isKey(hash, signer))) throw refused;
  const shown =
    plain || kind === ERC_1271
      ? accountMethod(chainId, toHex(key))
      : { type: "Multikey", publicKeyHex: toHex(multikeyOf(kind, fromHex(multicodec), key)).slice(2) };
  return [{ number: Number(number), purpose: "sigAuth", key: shown }];
}

function isFirstKey(device: string, key: Uint8Array, plain: boolean): boolean {
  return plain ? sameBytes(key, fromHex(device)) : deviceIdOf(key) === getAddress(device);
}

function isKey(hash: string, signer: Uint8Array): boolean {
  return sameBytes(fromHex(hash), keccak256(signer).subarray(0, KEY_HASH_BYTES));
}

/** The varint of the key's multicodec ‖ the key, in the form that the multicodec is registered for. */
function multikeyOf(kind: bigint, multicodec: Uint8Array, key: Uint8Array): Uint8Array {
  if (kind === P256) return p256Multikey(key);
  if (kind !== RSA_2048) return concat(multicodec, key);
  // RSAPublicKey in DER (RFC 8017); the registry's keys are abi.encode(e, n) with e = 65537 and 2,048 bits of n.
  const [, modulus] = AbiCoder.defaultAbiCoder().decode(["bytes", "bytes"], key);
  return concat(multicodec, RSA_PREFIX, fromHex(String(modulus)), RSA_SUFFIX);
}

async function delegateMethods(
  registry: DidViews,
  device: string,
  chainId: bigint,
  time: bigint,
  at: At,
): Promise<readonly NumberedMethod[]> {
  const [types, accounts, validTo, numbers] = await registry.delegatesOf(device, at);
  // A list of its own: those of ethers make more of their kind, with an entry too many.
  return [...accounts].flatMap((account, k) => {
    const live = (validTo[k] ?? 0n) >= time && textOf(fromHex(types[k] ?? "")) === "veriKey";
    const key = accountMethod(chainId, account);
    return live ? [{ number: Number(numbers[k]), purpose: "veriKey" as const, key }] : [];
  });
}
