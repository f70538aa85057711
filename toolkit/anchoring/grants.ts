import { Interface, isError, type Provider, recoverAddress } from "ethers";
import { DeviceRegistry__factory } from "../contracts.js";
import type { RegistryDomain } from "../identity/digests.js";
import type { DeviceId } from "../identity/keys.js";
import { sameBytes, toHex } from "../internal/bytes.js";
import { GrantError, grantDigest, type KeyGrant, type OwnerMessage } from "./grant-messages.js";
import type { EcPublicJwk } from "./jwe.js";
import { thumbprintOf } from "./sealing.js";

const ERC1271 = new Interface(["function isValidSignature(bytes32 hash, bytes signature) view returns (bytes4)"]);
const NEVER_ACTIVATED = 0n;
/** What a wallet may burn on the node to check a signature: the costliest known take a tenth. */
const WALLET_GAS = 3_000_000n;
const ERC1271_YES = `0x1626ba7e${"00".repeat(28)}`;

/** A message that a book has accepted. */
export interface AcceptedMessage {
  readonly message: OwnerMessage;
  readonly tenure: Tenure;
}

/** Who owns a device, and since when: another tenure begins with each transfer, even to the same. */
export interface Tenure {
  readonly owner: string;
  /** Unix seconds. */
  readonly since: bigint;
}

interface Standing {
  readonly grant: KeyGrant;
  readonly key: EcPublicJwk;
  readonly tenure: Tenure;
  revokedFrom?: bigint;
}

/**
 * Who may read what a device seals: what a source (the device or its gateway) keeps of its owners' words. A grant holds from `from` to before
 * `until`, until it is revoked, and no longer than the signer owns the device: a transfer ends it for good, even if the device comes back.
 *
 * An owner numbers what it says about a device, and each number is due once: nobody can hand in an old list, say a message twice, or
 * leave a revocation out and hand in what came after.
 *
 * @example
 * const book = new GrantBook(provider, domain);
 * await book.accept(readOwnerMessage(json));
 * const { jwe } = await seal(bytes, await book.recipients(device, now));
 */
export class GrantBook {
  private readonly standing = new Map<DeviceId, Standing[]>();
  private readonly next = new Map<string, bigint>();
  private readonly log: AcceptedMessage[] = [];
  private turn: Promise<unknown> = Promise.resolve();

  /** @param accepted What an earlier book had accepted, see {@link accepted}: believed, not checked again. */
  constructor(
    private readonly provider: Provider,
    private readonly domain: RegistryDomain,
    accepted: readonly AcceptedMessage[] = [],
  ) {
    for (const each of accepted) this.keep(each);
  }

  /** All that was accepted, in order, to be kept on disk. */
  get accepted(): readonly AcceptedMessage[] {
    return this.log;
  }

  /**
   * Takes what an owner has signed. An owner that is a contract is asked (ERC-1271).
   *
   * Errors: ITC_GRANT_NUMBER when another number is due, ITC_GRANT_KEY when the key isn't the one that the grant names, ITC_GRANT_SIGNATURE when
   * the device's present owner didn't sign, ITC_GRANT_NO_DEVICE; nothing is kept then.
   */
  accept(message: OwnerMessage): Promise<void> {
    // One at a time, so that two of one number can't both find it due.
    const mine = this.turn.then(() => this.check(message));
    this.turn = mine.catch(() => undefined);
    return mine;
  }

  /**
   * The keys to seal for.
   *
   * @param time When it is sealed, Unix seconds.
   * @returns One key for each recipient; none where no grant holds. Errors: the provider's, rather than keys of a former owner.
   */
  async recipients(device: DeviceId, time: bigint): Promise<EcPublicJwk[]> {
    const holding = (this.standing.get(device) ?? []).filter(
      ({ grant, revokedFrom }) =>
        grant.from <= time && time < grant.until && (revokedFrom === undefined || time < revokedFrom),
    );
    if (holding.length === 0) return [];
    const tenure = await this.tenureOf(device, await this.provider.getBlockNumber());
    const valid = holding.filter((each) => each.tenure.owner === tenure?.owner && each.tenure.since === tenure.since);
    return [...new Map(valid.map(({ grant, key }) => [toHex(grant.recipient), key])).values()];
  }

  private async check(message: OwnerMessage): Promise<void> {
    const { says, signature } = message;
    if (message.kind === "grant" && !sameBytes(await thumbprintOf(message.key), says.recipient)) {
      const what = `The key that came with the grant isn't ${toHex(says.recipient)}.`;
      throw new GrantError("ITC_GRANT_KEY", what, "Send the key whose thumbprint (RFC 7638) the owner signed.");
    }
    const block = await this.provider.getBlockNumber();
    const tenure = await this.tenureOf(says.device, block);
    if (!tenure) {
      throw new GrantError("ITC_GRANT_NO_DEVICE", `${says.device} has no owner here.`, "Activate it first.");
    }
    const { owner } = tenure;
    const due = this.next.get(`${says.device}:${owner}`) ?? 0n;
    if (says.number !== due) {
      const what = `Message ${says.number} of ${owner} about ${says.device} came, ${due} is due.`;
      throw new GrantError("ITC_GRANT_NUMBER", what, "Hand in each message once, in order.");
    }
    if (!(await this.signed(owner, grantDigest(this.domain, message), signature, block))) {
      const what = `The message isn't signed by ${owner}, who owns ${says.device}.`;
      throw new GrantError("ITC_GRANT_SIGNATURE", what, "Have the device's owner sign for this chain and registry.");
    }
    this.keep({ message, tenure });
  }

  private async tenureOf(device: DeviceId, block: number): Promise<Tenure | undefined> {
    const registry = DeviceRegistry__factory.connect(this.domain.registry, this.provider);
    const { state, ownedSince } = await registry.tenureOf(device, { blockTag: block });
    if (state === NEVER_ACTIVATED) return undefined;
    return { owner: await registry.ownerOf(device, { blockTag: block }), since: ownedSince };
  }

  private async signed(owner: string, digest: Uint8Array, signature: Uint8Array, block: number): Promise<boolean> {
    try {
      if (recoverAddress(toHex(digest), toHex(signature)) === owner) return true;
    } catch {
      // Not a signature of a key: a contract may still know it.
    }
    if ((await this.provider.getCode(owner, block)) === "0x") return false;
    const data = ERC1271.encodeFunctionData("isValidSignature", [digest, signature]);
    try {
      return (await this.provider.call({ to: owner, data, blockTag: block, gasLimit: WALLET_GAS })) === ERC1271_YES;
    } catch (error) {
      if (isError(error, "NETWORK_ERROR") || isError(error, "SERVER_ERROR") || isError(error, "TIMEOUT")) throw error;
      // A contract that reverts or burns the gas hasn't signed; nodes differ in how they say so.
      return false;
    }
  }

  private keep(accepted: AcceptedMessage): void {
    const { message, tenure } = accepted;
    const { device, number } = message.says;
    this.log.push(accepted);
    this.next.set(`${device}:${tenure.owner}`, number + 1n);
    const all = this.standing.get(device) ?? [];
    this.standing.set(device, all);
    if (message.kind === "grant") all.push({ grant: message.says, key: message.key, tenure });
    else
      for (const each of all)
        if (each.tenure.owner === tenure.owner) endGrant(each, message.says.recipient, message.says.from);
  }
}

function endGrant(standing: Standing, recipient: Uint8Array, from: bigint): void {
  if (!sameBytes(standing.grant.recipient, recipient)) return;
  if (standing.revokedFrom === undefined || from < standing.revokedFrom) standing.revokedFrom = from;
}
