import { expect } from "chai";
import { encodeBytes32String, toUtf8Bytes } from "ethers";
import { type DidChange, deviceDid, documentOf, type ResolvedDid } from "../../toolkit/identity/did.js";
import { changesOf, type DidViews } from "../../toolkit/identity/did-views.js";
import { fromHex } from "../../toolkit/internal/bytes.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import type { Deployed } from "../support.js";
import { resolverOf } from "./resolver.js";

export type World = Pick<Deployed, "ethers" | "provider" | "chainId">;

/** Events of an identity, oldest first, with their blocks. */
export type History = readonly { readonly block: number; readonly change: DidChange }[];

/** Random choices; the same seed makes the same ones. */
export class Dice {
  private thrown = 0;

  constructor(private readonly seed: number) {}

  /** A whole number from 0, below `bound`. */
  below(bound: number): number {
    return Number(BigInt(secretOf(this.seed, `dice ${this.thrown++}`)) % BigInt(bound));
  }

  pick<T>(first: T, ...others: T[]): T {
    return [first, ...others][this.below(others.length + 1)] ?? first;
  }

  address(): string {
    return secretOf(this.seed, `address ${this.below(4)}`).slice(0, 42);
  }
}

/** A registry, and what it should do, told apart from the contract that does it. */
export interface DidDriver<Identity extends { readonly address: string }> {
  readonly contract: Pick<DidViews, "runner" | "getAddress" | "changed">;
  /** A new identity; events that its birth made are in the blocks before `play` is first called. */
  begin(dice: Dice): Promise<{ readonly identity: Identity; readonly born: readonly DidChange[] }>;
  /**
   * Sends one to a few random changes that will stand in one block of the given time.
   * @returns The events that the block should have.
   */
  play(identity: Identity, dice: Dice, time: bigint): Promise<readonly DidChange[]>;
  /** Unix seconds before which the next block must not be, where something takes its time. */
  earliest?(identity: Identity, dice: Dice): bigint;
  /** The document as of a block from views alone, if the registry has such views. */
  view?(identity: Identity, history: History, block: number): Promise<ResolvedDid>;
}

/** Seconds that something holds: around the time between blocks, so that much ends on the way. */
export function validityOf(dice: Dice): bigint {
  return BigInt(dice.pick(0, 1, dice.below(40), dice.below(40), 100_000, 2 ** 39));
}

/** Text as 32 bytes. */
export function nameOf(text: string): Uint8Array {
  return fromHex(encodeBytes32String(text));
}

/** The value of a service: a URL, JSON, nothing, or what is no text. */
export function endpointOf(dice: Dice): Uint8Array {
  const json = { uri: `https://${dice.below(2)}.example`, accept: ["didcomm/v2"] };
  const text = toUtf8Bytes(`https://${dice.below(3)}.example`);
  return dice.pick(text, text, toUtf8Bytes(JSON.stringify(json)), Uint8Array.of(0xff, 0xfe), new Uint8Array());
}

/**
 * Plays one random history and compares, for each of its blocks, three documents: the resolver's, the model's, and where there are views
 * theirs. The events on the chain must be those that the driver expects.
 */
export async function checkHistory<Identity extends { readonly address: string }>(
  world: World,
  driver: DidDriver<Identity>,
  seed: number,
): Promise<void> {
  const dice = new Dice(seed);
  const { identity, born } = await driver.begin(dice);
  const did = deviceDid(world.chainId, identity.address);
  const first = await world.ethers.provider.getBlockNumber();
  const history = born.map((change) => ({ block: first, change }));
  for (let rest = 2 + dice.below(7); rest > 0; rest--) {
    const earliest = driver.earliest?.(identity, dice) ?? 0n;
    const { block, changes } = await mineBlock(world, dice, earliest, (time) => driver.play(identity, dice, time));
    history.push(...changes.map((change) => ({ block, change })));
  }
  const last = await world.ethers.provider.getBlockNumber();
  expect(await changesOf(driver.contract, identity.address, last)).to.deep.equal(history);

  const resolver = resolverOf(world.ethers.provider, world.chainId, await driver.contract.getAddress());
  const resolve = async (url: string): Promise<ResolvedDid> => {
    const { didDocument, didDocumentMetadata } = await resolver.resolve(url, { accept: "application/did+json" });
    return { didDocument: sorted(didDocument), deactivated: didDocumentMetadata.deactivated === true };
  };
  for (let block = first - 1; block <= last; block++) {
    const until = history.filter((event) => event.block <= block).map(({ change }) => change);
    const time = BigInt((await world.ethers.provider.getBlock(block))?.timestamp ?? 0);
    const expected = documentOf(did, until, time);
    expect(await resolve(`${did}?versionId=${block}`), `history ${seed}, block ${block}`).to.deep.equal(expected);
    if (driver.view && block >= first) {
      const { didDocument, deactivated } = await driver.view(identity, history, block);
      expect({ didDocument, deactivated }, `views of history ${seed}, block ${block}`).to.deep.equal(expected);
    }
  }
  await checkLatest(did, history, () => resolve(did));
}

/** Without a version the resolver takes this machine's clock, which may tick on the way. */
async function checkLatest(did: string, history: History, resolve: () => Promise<ResolvedDid>): Promise<void> {
  const all = history.map(({ change }) => change);
  const now = () => documentOf(did, all, BigInt(Math.floor(Date.now() / 1000)));
  const [before, resolved, after] = [now(), await resolve(), now()];
  if (JSON.stringify(resolved) !== JSON.stringify(after)) expect(resolved).to.deep.equal(before);
}

async function mineBlock(
  { ethers, provider }: World,
  dice: Dice,
  earliest: bigint,
  send: (time: bigint) => Promise<readonly DidChange[]>,
): Promise<{ block: number; changes: readonly DidChange[] }> {
  const latest = await ethers.provider.getBlock("latest");
  const time = Math.max((latest?.timestamp ?? 0) + 1 + dice.below(20), Number(earliest));
  await provider.request({ method: "evm_setAutomine", params: [false] });
  const changes = await send(BigInt(time));
  await provider.request({ method: "evm_setNextBlockTimestamp", params: [time] });
  await provider.request({ method: "evm_mine", params: [] });
  await provider.request({ method: "evm_setAutomine", params: [true] });
  return { block: await ethers.provider.getBlockNumber(), changes };
}

/** The lists of a document are sets, and a resolver has them in the order of first mention: here they stand by number, as in the model. */
function sorted(document: unknown): ResolvedDid["didDocument"] {
  const numberOf = (entry: unknown): number => {
    const id: unknown = typeof entry === "string" ? entry : Reflect.get(Object(entry), "id");
    return Number(/-(\d+)$/.exec(String(id))?.[1] ?? 0);
  };
  const entries = Object.entries(Object(document)).map(([name, value]: [string, unknown]) => [
    name,
    Array.isArray(value) ? [...value].sort((a, b) => numberOf(a) - numberOf(b)) : value,
  ]);
  return Object.fromEntries(entries);
}
