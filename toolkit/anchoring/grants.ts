import { Interface, isError, type Provider, recoverAddress } from "ethers";
import { DeviceRegistry__factory } from "../contracts.js";
import type { RegistryDomain } from "../identity/digests.js";
import type { DeviceId } from "../identity/keys.js";
import { sameBytes, toHex } from "../internal/bytes.js";
import { GrantError, grantDigest, type KeyGrant, type OwnerMessage } from "./grant-messages.js";
import type { EcPublicJwk } from "./jwe.js";
import { thumbprintOf } from "./sealing.js";

const ERC1271 = new Interface(["function isValidSignature(bytes32 hash, bytes signature) view returns (bytes4)"]);
const ERC1271_YES = `0x1626ba7e${"00".repeat(28)}`;

/** A message that a book has accepted. */
export interface AcceptedMessage {
  readonly message: OwnerMessage;
  readonly owner: string;
  /** The block at which the signer owned the device. */
  readonly block: number;
}

interface Standing {
  readonly grant: KeyGrant;
  readonly key: EcPublicJwk;
  readonly owner: string;
  readonly block: number;
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
    const registry = DeviceRegistry__factory.connect(this.domain.registry, this.provider);
    const block = await this.provider.getBlockNumber();
    const owner = await registry.ownerOf(device, { blockTag: block });
    const since = Math.min(...holding.map((each) => each.block)) + 1;
    const moved = registry.filters.Transfer(undefined, undefined, device);
    const moves = since > block ? [] : await registry.queryFilter(moved, since, block);
    const last = Math.max(-1, ...moves.map(({ blockNumber }) => blockNumber));
    const valid = holding.filter((each) => each.owner === owner && each.block >= last);
    return [...new Map(valid.map(({ grant, key }) => [toHex(grant.recipient), key])).values()];
  }

  private async check(message: OwnerMessage): Promise<void> {
    const { says, signature } = message;
    if (message.kind === "grant" && !sameBytes(await thumbprintOf(message.key), says.recipient)) {
      const what = `The key that came with the grant isn't ${toHex(says.recipient)}.`;
      throw new GrantError("ITC_GRANT_KEY", what, "Send the key whose thumbprint (RFC 7638) the owner signed.");
    }
    const block = await this.provider.getBlockNumber();
    const owner = await this.ownerOf(says.device, block);
    const due = this.next.get(`${says.device}:${owner}`) ?? 0n;
    if (says.number !== due) {
      const what = `Message ${says.number} of ${owner} about ${says.device} came, ${due} is due.`;
      throw new GrantError("ITC_GRANT_NUMBER", what, "Hand in each message once, in order.");
    }
    if (!(await this.signed(owner, grantDigest(this.domain, message), signature, block))) {
      const what = `The message isn't signed by ${owner}, who owns ${says.device}.`;
      throw new GrantError("ITC_GRANT_SIGNATURE", what, "Have the device's owner sign for this chain and registry.");
    }
    this.keep({ message, owner, block });
  }

  private async ownerOf(device: DeviceId, block: number): Promise<string> {
    try {
      return await DeviceRegistry__factory.connect(this.domain.registry, this.provider).ownerOf(device, {
        blockTag: block,
      });
    } catch (cause) {
      if (!isError(cause, "CALL_EXCEPTION")) throw cause;
      throw new GrantError("ITC_GRANT_NO_DEVICE", `${device} has no owner here.`, "Activate it first.", { cause });
    }
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
      const answer = await this.provider.call({ to: owner, data, blockTag: block });
      return answer === ERC1271_YES;
    } catch (error) {
      if (isError(error, "CALL_EXCEPTION")) return false;
      throw error;
    }
  }

  private keep(accepted: AcceptedMessage): void {
    const { message, owner, block } = accepted;
    const { device, number } = message.says;
    this.log.push(accepted);
    this.next.set(`${device}:${owner}`, number + 1n);
    const all = this.standing.get(device) ?? [];
    this.standing.set(device, all);
    if (message.kind === "grant") all.push({ grant: message.says, key: message.key, owner, block });
    else for (const each of all) if (each.owner === owner) endGrant(each, message.says.recipient, message.says.from);
  }
}

function endGrant(standing: Standing, recipient: Uint8Array, from: bigint): void {
  if (!sameBytes(standing.grant.recipient, recipient)) return;
  if (standing.revokedFrom === undefined || from < standing.revokedFrom) standing.revokedFrom = from;
}
