import { getAddress } from "ethers";
import { z } from "zod";
import type { DeviceKey } from "../identity/keys.js";
import type { CommitPolicy } from "./gateway-committing.js";
import { GatewayError } from "./gateway-errors.js";
import type { FeePolicy } from "./gateway-fees.js";
import type { IntakePolicy } from "./gateway-intake.js";
import type { NodeProvider } from "./gateway-node.js";
import type { QueueOwner } from "./gateway-store.js";
import { MAX_COMMITTED } from "./zk-values.js";

/** How a gateway is to work. Seconds are of its own clock. */
export interface GatewayOptions extends Omit<QueueOwner, "publisher"> {
  /** Path of the queue file, or `:memory:` for a gateway that may forget. */
  readonly file: string;
  /** The secp256k1 key that the log belongs to, for this gateway alone. It signs transactions and receipts. */
  readonly publisher: DeviceKey;
  readonly node: NodeProvider;
  readonly fees: Partial<FeePolicy> & Pick<FeePolicy, "ceiling">;
  /** When a batch is sealed: whichever comes first. Default: 4,096 readings, 1 MiB, 600 s. */
  readonly batch?: { readonly readings?: number; readonly bytes?: number; readonly seconds?: bigint };
  /** Which readings are taken. Default: 31 days behind, 300 s ahead, payloads of 64 KiB, no gaps, anchored within 24 hours. */
  readonly intake?: Partial<IntakePolicy>;
  /**
   * Offers devices batches of their own logs with commitments to values, see `Committing`. Default: none, since each such batch is an entry of its
   * own that the relayer pays for. 64 readings in a draft if nothing else is said.
   */
  readonly commit?: Partial<CommitPolicy> & Omit<CommitPolicy, "readings">;
  /** Blocks on top of a batch's before it is final. Default 12; a chain's own finality (64 on Ethereum) is better. */
  readonly confirmations?: bigint;
  /** Goes on with a log that has entries though the queue is new. Default false: it may be the wrong file. */
  readonly continueLog?: boolean;
  /** Asks the registry again for each device after so many seconds. Default: never. */
  readonly recheck?: bigint;
  /** Forgets readings so many seconds after they were sealed, once they are final, and with them the evidence. Default: never. */
  readonly keep?: bigint;
  /** Milliseconds between steps. Default 4,000. */
  readonly poll?: number;
  /** Milliseconds after which a node that says nothing has failed. Default 30,000. */
  readonly patience?: number;
  /** Unix seconds. Default: the system's clock. */
  readonly now?: () => bigint;
}

/** Options with the defaults filled in. */
export interface GatewaySettings {
  readonly file: string;
  readonly owner: QueueOwner;
  readonly publisher: DeviceKey;
  readonly node: NodeProvider;
  readonly intake: IntakePolicy;
  readonly batch: { readonly readings: number; readonly bytes: number; readonly seconds: bigint };
  readonly sending: { readonly fees: FeePolicy; readonly confirmations: bigint; readonly continueLog: boolean };
  readonly commit: CommitPolicy | undefined;
  readonly recheck?: bigint | undefined;
  readonly keep?: bigint | undefined;
  readonly poll: number;
  readonly patience: number;
  readonly now: () => bigint;
}

const DAY = 86_400n;
// Seconds that SQLite's integers and any clock hold.
const seconds = z
  .bigint()
  .min(0n)
  .max(1n << 40n);
const wei = z
  .bigint()
  .positive()
  .max(1n << 62n);
const count = z.int().positive();
const address = z.string().transform((text, context) => {
  try {
    return getAddress(text);
  } catch {
    context.addIssue("not an address");
    return z.NEVER;
  }
});

const Plain = z.object({
  file: z.string().min(1),
  chainId: z.bigint().positive(),
  registry: address,
  anchor: address,
  fees: z.object({
    ceiling: wei,
    tip: wei.default(1_000_000_000n),
    patience: z.bigint().positive().default(3n),
    gas: wei.default(140_000n),
  }),
  batch: z
    .object({ readings: count.default(4_096), bytes: count.default(2 ** 20), seconds: seconds.default(600n) })
    .prefault({}),
  intake: z
    .object({
      behind: seconds.default(31n * DAY),
      ahead: seconds.default(300n),
      payload: z
        .int()
        .min(0)
        .default(64 * 1024),
      disk: z.bigint().positive().optional(),
      schemas: z.array(z.instanceof(Uint8Array).refine(({ length }) => length === 32, "not 32 bytes")).optional(),
      allowGaps: z.boolean().default(false),
      promise: seconds.default(DAY),
    })
    .prefault({}),
  commit: z
    .object({
      secret: z.instanceof(Uint8Array).refine(({ length }) => length === 32, "not 32 bytes"),
      verifiers: z.object({ P256Verifier: address, RsaVerifier: address, Erc1271Verifier: address }),
      readings: count.max(MAX_COMMITTED).default(64),
      span: seconds.min(1n).optional(),
    })
    .optional(),
  confirmations: z.bigint().min(0n).default(12n),
  continueLog: z.boolean().default(false),
  recheck: seconds.optional(),
  keep: seconds.optional(),
  poll: count.default(4_000),
  patience: count.default(30_000),
});

/** Fills the defaults in. Errors: ITC_GATEWAY_OPTIONS. */
export function settingsOf({ publisher, node, now, ...options }: GatewayOptions): GatewaySettings {
  const parsed = Plain.safeParse(options);
  const issue = parsed.error?.issues[0];
  const wrong = (what: string): GatewayError => new GatewayError("ITC_GATEWAY_OPTIONS", what, "See GatewayOptions.");
  if (!parsed.success) throw wrong(`The option ${issue?.path.join(".")} is wrong: ${issue?.message}.`);
  if (publisher.kind !== "secp256k1") throw wrong(`A publisher's key is of secp256k1, not ${publisher.kind}.`);
  const { chainId, registry, anchor, fees, confirmations, continueLog, commit, ...rest } = parsed.data;
  if (fees.tip > fees.ceiling) throw wrong("The option fees.tip is above fees.ceiling.");
  if (rest.intake.promise < rest.batch.seconds) throw wrong("The option intake.promise is shorter than batch.seconds.");
  const relayer = options.commit?.relayer;
  if (relayer && (relayer.kind !== "secp256k1" || relayer.id === publisher.id)) {
    throw wrong("The option commit.relayer is a key of secp256k1 that isn't the publisher's: its nonces are its own.");
  }
  return {
    ...rest,
    commit: commit && relayer && { ...commit, relayer },
    owner: { chainId, registry, anchor, publisher: publisher.id },
    publisher,
    node,
    sending: { fees, confirmations, continueLog },
    now: now ?? (() => BigInt(Math.floor(Date.now() / 1000))),
  };
}
