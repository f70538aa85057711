import { MerklePatriciaTrie } from "@ethereumjs/mpt";
import { decodeRlp, getAddress, toQuantity } from "ethers";
import { z } from "zod";
import type { DeviceId } from "../identity/keys.js";
import { fromHex, keccak256, sameBytes, toHex, uintBytes } from "../internal/bytes.js";
import { EvidenceError } from "./evidence-error.js";
import { type Header, headerFromRpc, type RpcClient, readHeader } from "./headers.js";
import { peakHeight } from "./mountain-range.js";
import {
  DEVICE,
  fieldsOf,
  HEAD,
  ISSUER,
  KEY,
  KIND,
  LOT,
  logSlots,
  mappingSlot,
  REGISTRY_SLOTS,
} from "./registry-layout.js";

/** A block's header, and the nodes of its state tries that lead to what evidence is about (EIP-1186). */
export interface StateProof {
  /** RLP. */
  readonly header: Uint8Array;
  /** RLP of each node, of both contracts, each once and in no order that counts. */
  readonly nodes: readonly Uint8Array[];
}

/** What a state proof is asked: of an entry in a log, and of a device. */
export interface StateQuestion {
  readonly registry: string;
  readonly anchor: string;
  readonly publisher: string;
  readonly index: bigint;
  readonly device: DeviceId;
}

/** What the chain's state says, as of one block. */
export interface ProvedState {
  /** Of the log: how many entries it has, and the peak that covers the entry; undefined while the log has no such entry. */
  readonly log: { readonly size: bigint; readonly peak?: Uint8Array };
  readonly device: ProvedDevice;
}

/** What the registry's storage says of a device. */
export interface ProvedDevice {
  /** As `DeviceState` in Solidity numbers them. */
  readonly state: bigint;
  readonly kind: bigint;
  readonly activatedAt: bigint;
  readonly stateSince: bigint;
  /** What the device has, and no more than its lot has. */
  readonly assurance: number;
  /** Undefined for a device that was never activated. */
  readonly lot?: { readonly id: string; readonly issuer: string; readonly revoked: boolean };
  /** 240 bits of keccak256 of the present signer; undefined while no key was replaced, since the device's id commits to the first. */
  readonly signer?: { readonly hash: Uint8Array; readonly verifier: string };
}

/** Reads one storage word of an account. */
type WordReader = (account: string, slot: bigint) => Promise<bigint>;

/** Largest node that is looked at, in bytes: a branch of a trie has 532. */
export const MAX_NODE_BYTES = 1024;

const bytes = (most: number) =>
  z
    .string()
    .regex(/^0x[0-9a-f]*$/)
    .refine((text) => text.length % 2 === 0)
    .max(2 + 2 * most)
    .transform(fromHex);
/** Below a root of 32 bytes no path is longer than 64 nibbles. */
const nodes = z.array(bytes(MAX_NODE_BYTES)).max(65);
const RpcProof = z.looseObject({
  accountProof: nodes,
  storageProof: z.array(z.looseObject({ proof: nodes })).length(1),
});

/**
 * Gathers what proves an entry and a device by a block's header alone, and checks it.
 *
 * @param block Number of the block; the latest if left out. A node of which it isn't an archive keeps the last 128 or so.
 * Errors: ITC_EVIDENCE_NODE when the node fails or refuses, ITC_EVIDENCE_HEADER, ITC_EVIDENCE_PROOF when what it sends proves nothing.
 */
export async function proveState(
  rpc: RpcClient,
  question: StateQuestion,
  block?: bigint,
): Promise<{ proof: StateProof; state: ProvedState; header: Header }> {
  const tag = block === undefined ? "latest" : toQuantity(block);
  const rlp = headerFromRpc(await ask(rpc, "eth_getBlockByNumber", [tag, false]));
  const header = readHeader(rlp);
  if (!header || (block !== undefined && header.number !== block)) throw wrongProof(`block ${block ?? "latest"}`);
  const found = new Map<string, Uint8Array>();
  const fetched: WordReader = async (account, slot) => {
    const key = toHex(uintBytes(slot, 32));
    const answer = RpcProof.safeParse(await ask(rpc, "eth_getProof", [account, [key], toQuantity(header.number)]));
    if (!answer.success) throw wrongProof(account, answer.error);
    const path = [...answer.data.accountProof, ...answer.data.storageProof.flatMap(({ proof }) => proof)];
    // A node under 32 bytes stands inside of its parent.
    for (const node of path) if (node.length >= 32) found.set(toHex(keccak256(node)), node);
    const value = await trieReader(header.stateRoot, path)(account, slot).catch((cause: unknown) => {
      throw wrongProof(account, cause);
    });
    return value;
  };
  const state = await stateFrom(fetched, question);
  return { proof: { header: rlp, nodes: [...found.values()] }, state, header };
}

/**
 * What the state under a root says. Errors: whatever the trie's library throws for nodes that are missing or none; nodes count only where
 * their hashes lead to them from the root.
 */
export function readState(
  stateRoot: Uint8Array,
  nodes: readonly Uint8Array[],
  question: StateQuestion,
): Promise<ProvedState> {
  return stateFrom(trieReader(stateRoot, nodes), question);
}

async function stateFrom(read: WordReader, question: StateQuestion): Promise<ProvedState> {
  const { anchor, registry, publisher, index, device } = question;
  const slots = logSlots(publisher);
  const { size } = fieldsOf(HEAD, await read(anchor, slots.head));
  const log = index < size ? { size, peak: await read(anchor, slots.peak(peakHeight(index, size))) } : { size };
  const word = (key: Uint8Array | bigint, of: keyof typeof REGISTRY_SLOTS) =>
    read(registry, mappingSlot(key, REGISTRY_SLOTS[of]));
  const record = fieldsOf(DEVICE, await word(fromHex(device), "devices"));
  const { state, kind, activatedAt, keyEvents } = record;
  const stateSince = record.stateSince === 0n ? activatedAt : record.stateSince;
  const base = { state, kind, activatedAt, stateSince };
  const found = { size: log.size, ...(log.peak !== undefined && { peak: uintBytes(log.peak, 32) }) };
  if (state === 0n) return { log: found, device: { ...base, assurance: 0 } };
  const lotId = await word(record.lotNumber, "_lotByNumber");
  const lot = fieldsOf(LOT, await word(lotId, "_lots"));
  const issuer = fieldsOf(ISSUER, await word(lot.issuer, "_issuers"));
  const signer = keyEvents !== 0n && {
    hash: uintBytes(fieldsOf(KEY, await word(fromHex(device), "keys")).hash, 30),
    // Kind 0 is a plain account, which has no verifier.
    verifier: addressOf(kind === 0n ? 0n : fieldsOf(KIND, await word(kind, "kinds")).verifier),
  };
  return {
    log: found,
    device: {
      ...base,
      assurance: Math.min(Number(record.assurance), Number(lot.assurance)),
      lot: {
        id: toHex(uintBytes(lotId, 32)),
        issuer: addressOf(issuer.account),
        revoked: issuer.revoked !== 0n || lot.state === REVOKED,
      },
      ...(signer && { signer }),
    },
  };
}

/** `LotState.Revoked`. */
const REVOKED = 3n;

function addressOf(value: bigint): string {
  return getAddress(toHex(uintBytes(value, 20)));
}

/** The root of a trie with nothing in it: keccak256 of the RLP of an empty string. */
const EMPTY_TRIE = keccak256(Uint8Array.of(0x80));

/** Reads words of the state under a root, all along nodes that hash to what their parents say. */
function trieReader(stateRoot: Uint8Array, nodes: readonly Uint8Array[]): WordReader {
  const known = new Map(nodes.map((node) => [toHex(keccak256(node)).slice(2), node]));
  const store = {
    get: async (key: string | Uint8Array) => known.get(String(key)),
    put: async () => undefined,
    del: async () => undefined,
    batch: async () => undefined,
    shallowCopy: () => store,
    open: async () => undefined,
  };
  const trieAt = (root: Uint8Array) =>
    new MerklePatriciaTrie({ db: store, root, useKeyHashing: true, useKeyHashingFunction: keccak256 });
  const tries = new Map<string, Promise<MerklePatriciaTrie | undefined>>();
  const storageOf = async (account: string): Promise<MerklePatriciaTrie | undefined> => {
    const value = await trieAt(stateRoot).get(fromHex(account), true);
    if (value === null) return undefined;
    const fields = decodeRlp(value);
    const root = Array.isArray(fields) ? fields[2] : undefined;
    if (typeof root !== "string") throw new TypeError("no account");
    // The library knows no trie without nodes.
    return sameBytes(fromHex(root), EMPTY_TRIE) ? undefined : trieAt(fromHex(root));
  };
  return async (account, slot) => {
    let trie = tries.get(account);
    if (!trie) tries.set(account, (trie = storageOf(account)));
    const value = await (await trie)?.get(uintBytes(slot, 32), true);
    return value ? BigInt(String(decodeRlp(value))) : 0n;
  };
}

async function ask(rpc: RpcClient, method: string, params: unknown[]): Promise<unknown> {
  try {
    return await rpc.send(method, params);
  } catch (cause) {
    const what = `The node has no answer to ${method}.`;
    throw new EvidenceError("ITC_EVIDENCE_NODE", what, "Ask another; for old blocks, one that is an archive.", {
      cause,
    });
  }
}

function wrongProof(of: string, cause?: unknown): EvidenceError {
  const what = `What the node sends as proof of ${of} proves nothing.`;
  return new EvidenceError("ITC_EVIDENCE_PROOF", what, "Ask another node.", { cause });
}
