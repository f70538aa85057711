import type { EventEmitter } from "node:events";
import { Digests } from "../identity/digests.js";
import { type DeviceId, type DeviceKey, isSignature, type Verifiers } from "../identity/keys.js";
import { concat, fromHex, keccak256, sameBytes } from "../internal/bytes.js";
import type { Batch, BatchHeader } from "./batches.js";
import {
  type BatchDraft,
  type BatchStatement,
  type CommittedBatch,
  committedBatch,
  type MeasuredReading,
  openedBy,
} from "./committed-batch.js";
import { spellingsOf } from "./device-signatures.js";
import { EntryDigests } from "./entries.js";
import type { BatchedEvidence } from "./evidence.js";
import { type Standing, standingError } from "./gateway-devices.js";
import { corrupted, GatewayError } from "./gateway-errors.js";
import type { GatewayEvents } from "./gateway-events.js";
import type { FeePolicy } from "./gateway-fees.js";
import { AnchorNode, type NodeProvider } from "./gateway-node.js";
import type { Kept, Queue, Served } from "./gateway-queue.js";
import { Relay } from "./gateway-relay.js";
import { type Stated, Statements } from "./gateway-statements.js";
import type { QueueOwner } from "./gateway-store.js";
import { boundValues, type CommittedValues, isCommittable, MAX_COMMITTED, valuesSaltOf } from "./zk-values.js";

/** How a gateway commits to values. */
export interface CommitPolicy {
  /** 32 bytes from which the salts follow, for this alone. Whoever has them guesses values from commitments. */
  readonly secret: Uint8Array;
  /** The secp256k1 key that pays for the entries in devices' logs, for this gateway alone, and not its publisher's. */
  readonly relayer: DeviceKey;
  /** Where the network's verifiers are: its addresses. */
  readonly verifiers: Verifiers;
  /** Most readings of a draft, up to 256. More than 64 take the larger circuit. */
  readonly readings: number;
  /**
   * Seconds: a draft's readings are of one such span, counted from 1970, by the device's clock. A proof is of whole batches, so they fit into requests
   * whose windows begin and end with spans. Default: no spans.
   */
  readonly span?: bigint | undefined;
}

/** What the parts of a gateway share. */
export interface CommitParts {
  readonly queue: Queue;
  readonly node: NodeProvider;
  readonly owner: QueueOwner;
  readonly patience: number;
  readonly events: EventEmitter<GatewayEvents>;
  readonly fees: FeePolicy;
  readonly confirmations: bigint;
  readonly keep?: bigint | undefined;
  readonly now: () => bigint;
}

/** A batch of a device's log of which partials can be proved. */
export interface ProvableBatch {
  readonly index: bigint;
  /** When it came, Unix seconds. */
  readonly time: bigint;
  readonly header: BatchHeader;
  /** What `proveSum` and `proveHistogram` take. As secret as the readings. */
  readonly committed: CommittedValues;
}

/** Readings that are looked through at once. */
const PAGE = 512;

/**
 * Brings readings that a gateway can open into batches of their devices' own logs, with commitments to their values, so that partials can be proved
 * without showing a reading. A court takes such a batch from the device's own log alone: the gateway offers, the device signs, the gateway relays.
 *
 * @example
 * const draft = await gateway.committing?.draftOf(device); // to the device, on a confidential way
 * if (draft) gateway.committing?.receive(stateBatch(key, domain, remembered, draft));
 */
export class Committing {
  private readonly statements: Statements;
  private readonly node: AnchorNode;
  private readonly relay: Relay;
  private readonly digests: Digests;
  private readonly entries: EntryDigests;

  /** The gateway makes it. */
  constructor(
    private readonly parts: CommitParts,
    private readonly policy: CommitPolicy,
  ) {
    const { queue, node, owner, patience } = parts;
    this.statements = new Statements(queue);
    // The transactions that it counts are the relayer's.
    this.node = new AnchorNode(node, { ...owner, publisher: policy.relayer.id }, patience);
    this.relay = new Relay(this.statements, this.node, { ...parts, ...policy });
    this.digests = new Digests(owner);
    this.entries = new EntryDigests(owner);
  }

  /** Batches that aren't in their device's log for good, and those that are. */
  status(): { readonly relaying: bigint; readonly final: bigint } {
    return { relaying: this.statements.count(0), final: this.statements.count(1) };
  }

  /**
   * What a device may sign next: its earliest readings that are open to the gateway, fit into a commitment, and are in no batch of its log.
   * The same until the device has signed, or more readings have come. Undefined when there are none.
   *
   * Errors: ITC_GATEWAY_UNKNOWN, ITC_GATEWAY_OWN_LOG, ITC_GATEWAY_NODE, ITC_GATEWAY_CORRUPT.
   */
  async draftOf(device: DeviceId): Promise<BatchDraft | undefined> {
    const size = await this.node.sizeAt("latest", this.served(device).key.id);
    // Read after the node has answered: there may be another key, or another statement by now.
    const served = this.served(device);
    const stale = this.statements.stale(served);
    if (stale?.committed) {
      const { index, entry, committed, header } = stale;
      return {
        device,
        index,
        firstSequence: committed.firstSequence,
        count: header.count,
        salt: committed.salt,
        entry,
      };
    }
    const readings = this.run(served);
    const first = readings[0]?.reading;
    if (!first) return undefined;
    const salt = valuesSaltOf(keccak256(concat(this.policy.secret, fromHex(device))), first.sequence);
    const { batch } = this.made(readings, salt);
    const index = this.statements.next(served.row, size);
    return { device, index, firstSequence: first.sequence, count: batch.header.count, salt, entry: batch.entry };
  }

  /**
   * Takes a device's word for a batch: it is on disk when this returns, with the values, and relayed until the device's log holds it. The batch may be
   * one that was offered or one of the device's own making. The same again changes nothing.
   *
   * Errors, with nothing kept: ITC_GATEWAY_UNKNOWN, ITC_GATEWAY_OWN_LOG; ITC_GATEWAY_INACTIVE and such by what the registry said last;
   * ITC_GATEWAY_STATEMENT for numbers that can't be, and for readings or a place that another batch has; ITC_GATEWAY_VALUES when a reading isn't
   * here, isn't open, or doesn't fit into a commitment; ITC_GATEWAY_COMMITMENT when they make another entry; ITC_GATEWAY_SIGNATURE;
   * ITC_GATEWAY_CORRUPT, ITC_GATEWAY_DISK.
   */
  receive(statement: BatchStatement): void {
    const { device, index, firstSequence, count, salt, entry } = statement;
    const served = this.served(device);
    checkShape(statement);
    const before = this.statements.at(device, index);
    const known = before && sameBytes(before.entry, entry);
    if (known && (before.time !== undefined || before.keyRow === served.keyRow)) return;
    if (served.stopped !== undefined) throw standingError(served.stopped as Standing, device);
    if (before?.time !== undefined) throw refusal(statement, `its log has another entry ${index}`);
    const readings = Array.from({ length: Number(count) }, (_, k) => this.open(device, firstSequence + BigInt(k)));
    const taken = readings.find(({ own }) => own !== undefined && own >= 0n && own !== index);
    if (taken) throw refusal(statement, `reading ${taken.reading.sequence} is in entry ${taken.own}`);
    const made = this.made(readings, salt);
    if (!sameBytes(made.batch.entry, entry)) {
      throw new GatewayError(
        "ITC_GATEWAY_COMMITMENT",
        `Entry ${index} of ${device} isn't the batch of its readings from ${firstSequence} with a commitment to their values.`,
        "Ask for a draft, and sign it as stateBatch does.",
      );
    }
    const signature = this.signatureOf(served, statement);
    this.statements.add(served, { ...statement, signature }, made, readings, this.parts.now());
  }

  /**
   * Batches that stand in a device's log for good and whose values are kept: what partials are proved from. As long as `keep` says; without it
   * for ever.
   *
   * @param from The first position.
   * Errors: ITC_GATEWAY_CORRUPT.
   */
  *provable(device: DeviceId, from = 0n): Generator<ProvableBatch> {
    for (let next = from; ; ) {
      const page = this.statements.final(device, next, PAGE);
      for (const { index, header, committed, time } of page) {
        if (!committed || time === undefined) continue;
        if (!isCommittable(committed.values) || !sameBytes(boundValues(committed), header.values)) {
          throw corrupted(`The values of entry ${index} of ${device} aren't those that were committed to.`);
        }
        yield { index, time, header, committed };
      }
      const end = page.at(-1);
      if (!end) return;
      next = end.index + 1n;
    }
  }

  /**
   * What proves a reading by its device's own log, without its content.
   * Errors: ITC_GATEWAY_NOT_KEPT; ITC_GATEWAY_NOT_FINAL unless it is in such a batch; ITC_GATEWAY_NODE, ITC_GATEWAY_CORRUPT.
   */
  async evidenceOf(device: DeviceId, sequence: bigint): Promise<BatchedEvidence> {
    const kept = this.parts.queue.reading(device, sequence);
    if (!kept) {
      const what = `Reading ${sequence} of ${device} isn't kept here.`;
      throw new GatewayError("ITC_GATEWAY_NOT_KEPT", what, "It was never received, or has been pruned (keep).");
    }
    const stated = kept.own === undefined ? undefined : this.statements.at(device, kept.own);
    if (!stated?.committed || !stated.final) {
      const what = `Reading ${sequence} of ${device} is in no batch of the device's log.`;
      throw new GatewayError(
        "ITC_GATEWAY_NOT_FINAL",
        what,
        "Ask again when there is one, or for the gateway's evidence.",
      );
    }
    const batch = this.batchOf(stated, stated.committed);
    const { count, first, last, values } = stated.header;
    const { chainId, registry, anchor } = this.parts.owner;
    const { range, entries } = await this.node.log(device);
    const { index } = stated;
    const held = entries[Number(index)];
    if (!held || !sameBytes(held.entry, stated.entry)) {
      const what = `The log of ${device} doesn't hold entry ${index} any more.`;
      throw new GatewayError("ITC_GATEWAY_NOT_FINAL", what, "The chain was reorganised: ask again.");
    }
    return {
      domain: { chainId, registry },
      anchor,
      key: kept.key,
      reading: kept.reading,
      batch: { count, first, last, values, proof: batch.prove(Number(sequence - stated.committed.firstSequence)) },
      entry: { publisher: device, index, time: held.time, siblings: range.prove(Number(index)) },
    };
  }

  /** One step of the work; the gateway calls it. Errors: those of the node. */
  async step(): Promise<void> {
    await this.relay.step();
    const { keep, now } = this.parts;
    if (keep !== undefined) this.statements.prune(now() - keep);
  }

  private served(device: DeviceId): Served {
    const served = this.parts.queue.device(device);
    if (!served) {
      throw new GatewayError("ITC_GATEWAY_UNKNOWN", `Device ${device} is not served here.`, "Admit it first.");
    }
    if (device !== this.parts.owner.publisher) return served;
    const what = `The log of ${device} is this gateway's own.`;
    throw new GatewayError("ITC_GATEWAY_OWN_LOG", what, "Give the gateway a key that is no device's.");
  }

  /** The longest run of readings from the first that can be committed to. */
  private run({ row }: Served): Kept[] {
    for (;;) {
      const page = this.parts.queue.uncommitted(row, PAGE);
      const hopeless: bigint[] = [];
      const found: Kept[] = [];
      for (const kept of page) {
        if (found.length === this.policy.readings) break;
        if (!measured(kept)) hopeless.push(kept.row);
        else if (follows(found.at(-1), kept, this.policy.span)) found.push(kept);
        else break;
      }
      if (hopeless.length > 0) this.statements.pass(hopeless);
      if (found.length > 0 || hopeless.length === 0) return found;
    }
  }

  private open(device: DeviceId, sequence: bigint): Kept {
    const kept = this.parts.queue.reading(device, sequence);
    if (kept && measured(kept)) return kept;
    const opened = kept && openedBy(kept.reading.content, kept.payload);
    const why = !kept ? "isn't here" : opened ? `is ${opened.value}, out of range` : "isn't open";
    throw new GatewayError(
      "ITC_GATEWAY_VALUES",
      `Reading ${sequence} of ${device} ${why}.`,
      "Send it with its opening as payload (openingOf); leave out values beyond 2^39.",
    );
  }

  private made(readings: readonly Kept[], salt: Uint8Array): CommittedBatch {
    const isSpoilt = (kept: Kept): boolean =>
      !measured(kept) || !sameBytes(this.digests.reading(kept.reading), kept.digest);
    const spoilt = readings.find(isSpoilt);
    if (spoilt) {
      throw corrupted(`Reading ${spoilt.reading.sequence} of ${spoilt.reading.device} isn't what was received.`);
    }
    return committedBatch(
      readings.flatMap((kept) => measured(kept) ?? []),
      salt,
      this.digests,
    );
  }

  private batchOf({ index, entry, header }: Stated, { device, firstSequence, salt }: CommittedValues): Batch {
    const readings = this.parts.queue.span(device, firstSequence, firstSequence + header.count - 1n);
    if (BigInt(readings.length) === header.count) {
      const { batch } = this.made(readings, salt);
      if (sameBytes(batch.entry, entry)) return batch;
    }
    throw corrupted(`The readings of entry ${index} of ${device} aren't those that were committed to.`);
  }

  /** The signature as the chain takes it. */
  private signatureOf({ key }: Served, statement: BatchStatement): Uint8Array {
    const digest = this.entries.entry(statement);
    const signature = spellingsOf(key.kind, statement.signature).find((one) => isSignature(key, digest, one));
    if (signature) return signature;
    const what = `Entry ${statement.index} of ${statement.device} isn't signed by the device's key.`;
    throw new GatewayError(
      "ITC_GATEWAY_SIGNATURE",
      what,
      "Sign the entry's digest of this anchor and chain (EntryDigests).",
    );
  }
}

function measured({ reading, payload }: Kept): MeasuredReading | undefined {
  const measurement = openedBy(reading.content, payload);
  return measurement && isCommittable([measurement.value]) ? { reading, measurement } : undefined;
}

function follows(before: Kept | undefined, { reading }: Kept, span: bigint | undefined): boolean {
  if (!before) return true;
  const { sequence, time, schema } = before.reading;
  const isNext = reading.sequence === sequence + 1n && sameBytes(reading.schema, schema);
  return isNext && (span === undefined || reading.time / span === time / span);
}

function checkShape(statement: BatchStatement): void {
  const { index, firstSequence, count, salt, entry } = statement;
  const last = firstSequence + count - 1n;
  // No batch goes across the middle, where SQLite's integers begin anew.
  if (
    index < 0n ||
    index >> 63n !== 0n ||
    firstSequence < 0n ||
    last >> 64n !== 0n ||
    firstSequence >> 63n !== last >> 63n
  ) {
    throw refusal(statement, "its numbers can't be");
  }
  if (count < 1n || count > BigInt(MAX_COMMITTED)) throw refusal(statement, `it has ${count} readings`);
  if (salt.length !== 31 || entry.length !== 32) throw refusal(statement, "a salt has 31 bytes and an entry 32");
}

function refusal({ index, device }: BatchStatement, why: string): GatewayError {
  const what = `Entry ${index} of ${device} can't be taken: ${why}.`;
  return new GatewayError("ITC_GATEWAY_STATEMENT", what, "Ask for a draft (draftOf), and sign that.");
}
