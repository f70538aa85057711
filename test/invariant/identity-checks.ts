import { expect } from "chai";
import { Resolver } from "did-resolver";
import { type BaseContract, getAddress, type Interface, keccak256, type Log, toUtf8String } from "ethers";
import { getResolver } from "ethr-did-resolver";
import type { DeviceId } from "../../toolkit/identity/keys.js";
import type { LotId } from "../../toolkit/identity/lots.js";
import { fromHex, toHex } from "../../toolkit/internal/bytes.js";
import type { Cast } from "./identity-cast.js";
import { SIG_AUTH } from "./identity-model.js";
import { type Device, HOLDS, isAlive, NO_HASH, NOBODY, STATES } from "./identity-state.js";
import { MOVES } from "./lots-model.js";

/** What the chain says of one device. */
interface Seen {
  state: number;
  holds: number;
  bond: bigint;
  owner: string;
  controller: string;
  changed: bigint;
}

const VIEWS = 11;
const DIGEST = new Uint8Array(32).fill(7);
const KEYLESS = `0x${"00".repeat(30)}`;

/** Compares the chain with the model, and with itself. */
export class Checks {
  /** The moves that were seen, to show that the walk went everywhere. */
  readonly moves = new Set<string>();
  private readonly coder: Interface;
  private readonly resolver: Resolver;
  private readonly seen = new Map<DeviceId, Seen>();
  /** Blocks with ERC-1056 events, by device. */
  private readonly chains = new Map<DeviceId, bigint[]>();
  private block: number;

  constructor(
    private readonly cast: Cast,
    private readonly reader: BaseContract,
    start: number,
  ) {
    const { registry, chainId, addresses, ethers } = cast.world;
    this.coder = registry.interface;
    this.block = start;
    const options = { chainId, registry: addresses.DeviceRegistry, provider: ethers.provider };
    // Its types are of ethers' CommonJS copy, which TypeScript tells from ours.
    this.resolver = new Resolver(getResolver(options as unknown as Parameters<typeof getResolver>[0]));
  }

  /**
   * Everything that holds after each block.
   *
   * @param touched The devices that its transactions spoke of.
   * @param single Whether it had one transaction.
   */
  async afterBlock(touched: ReadonlySet<DeviceId>, single: boolean): Promise<void> {
    const { devices, model } = this.cast;
    await this.compare(
      devices.filter(({ id }) => touched.has(id)).map(({ id }) => model.device(id)),
      single,
    );
    await this.checkItc();
    await this.checkChains();
  }

  /** Compares everything: nothing has changed that no transaction spoke of. */
  async everything(): Promise<void> {
    const { devices, model } = this.cast;
    await this.compare(
      devices.map(({ id }) => model.device(id)),
      true,
    );
    await this.checkItc();
    const { itc, addresses } = this.cast.world;
    const ask = [...model.world.balances.keys()].map((holder) =>
      (itc.interface as Interface).encodeFunctionData("balanceOf", [holder]),
    );
    const balances = (await this.ask(ask, addresses.ITC)).map(BigInt);
    expect(balances, "balances").to.deep.equal([...model.world.balances.values()]);
  }

  private async compare(devices: readonly Device[], single: boolean): Promise<void> {
    const views = devices.map((device) => this.viewsOf(device));
    const inputs = views.flatMap((view) => view.map(([input]) => input));
    const answers = await this.ask(inputs);
    const expected = views.flatMap((view) => view.map(([, answer]) => answer));
    const wrong = answers.findIndex((answer, k) => answer !== expected[k]);
    if (wrong >= 0) this.complain(inputs[wrong] ?? "", answers[wrong] ?? "", expected[wrong] ?? "");
    devices.forEach((device, k) => {
      this.checkStates(device, this.read(device, answers.slice(k * VIEWS, (k + 1) * VIEWS)), single);
    });
  }

  /** Invariant 1: the registry's ITC is what it owes, lot by lot as the model says. */
  private async checkItc(): Promise<void> {
    const { model, world } = this.cast;
    const ids = [...new Set([...this.cast.lots.map(({ id }) => id), ...model.world.lots.keys()])];
    const inputs = ids.map((id) => this.coder.encodeFunctionData("lotOf", [id]));
    const [pool = "0x", ...answers] = await this.ask([this.coder.encodeFunctionData("pool"), ...inputs]);
    let owed = [...this.seen.values()].reduce((sum, { bond }) => sum + bond, BigInt(pool));
    answers.forEach((answer, k) => {
      const [issuer, size, activated, bond, assurance, revoked] = this.coder.decodeFunctionResult("lotOf", answer);
      if (!revoked) owed += BigInt(bond) * (BigInt(size) - BigInt(activated));
      const lot = model.world.lots.get(ids[k] as LotId);
      expect([issuer, size, activated, bond, Number(assurance), revoked], `lot ${ids[k]}`).to.deep.equal(
        lot
          ? [lot.issuer, lot.size, lot.activated, lot.bond, lot.assurance, lot.revoked]
          : [NOBODY, 0n, 0n, 0n, 0, false],
      );
    });
    expect(await world.itc.balanceOf(world.addresses.DeviceRegistry), "1. ITC held is ITC owed").to.equal(owed);
    expect(BigInt(pool), "pool").to.equal(model.world.pool);
  }

  /** Invariants 3 (what the registry says of itself) and 4. */
  private checkStates(device: Device, now: Seen, single: boolean): void {
    const before = this.seen.get(device.id)?.state ?? STATES.none;
    this.seen.set(device.id, now);
    const { state, holds, owner, controller } = now;
    if (before !== state) {
      const direct = MOVES.includes(`${before}→${state}`);
      const inSteps = !single && MOVES.some((move) => move.startsWith(`${before}→`)) && state !== STATES.none;
      expect(direct || inSteps, `4. ${device.id} moved ${before}→${state}`).to.equal(true);
      if (direct) this.moves.add(`${before}→${state}`);
    }
    if (isAlive(now)) {
      expect(controller, `3. ${device.id} is its owner's`).to.equal(owner);
      expect(state === STATES.suspended, `4. ${device.id} is suspended for a reason`).to.equal(holds !== 0);
    } else {
      const none = state === STATES.none;
      expect(controller, `3. ${device.id} has no controller`).to.equal(none ? device.id : NOBODY);
      if (none) expect([holds, owner], `4. ${device.id} was never there`).to.deep.equal([0, NOBODY]);
    }
  }

  /** Invariant 5: each ERC-1056 event names the block of the one before, and `changed` the last. */
  private async checkChains(): Promise<void> {
    const { ethers, addresses } = this.cast.world;
    const latest = await ethers.provider.getBlockNumber();
    const range = { address: addresses.DeviceRegistry, fromBlock: this.block + 1, toBlock: latest };
    this.block = latest;
    for (const log of await ethers.provider.getLogs(range)) this.follow(log);
    for (const [id, { changed }] of this.seen) {
      expect(changed, `5. ${id} changed`).to.equal(this.chains.get(id)?.at(-1) ?? 0n);
    }
  }

  private follow(log: Log): void {
    const event = this.coder.parseLog(log);
    if (!event?.name.startsWith("DID")) return;
    const id = event.args.identity as DeviceId;
    const chain = this.chains.get(id) ?? [];
    expect(event.args.previousChange, `5. ${id}: ${event.name}`).to.equal(chain.at(-1) ?? 0n);
    this.chains.set(id, [...chain, BigInt(log.blockNumber)]);
  }

  /** Invariants 3 and 5 as an unmodified did:ethr resolver sees them. */
  async resolve(device: Device): Promise<void> {
    const { id } = device;
    const { model, world } = this.cast;
    const { didDocument, didDocumentMetadata, didResolutionMetadata } = await this.resolver.resolve(
      `did:ethr:0x${world.chainId.toString(16)}:${id}?versionId=${model.block}`,
    );
    expect(didResolutionMetadata.error, `3. ${id} resolves: ${didResolutionMetadata.message}`).to.equal(undefined);
    const ended = device.state === STATES.retired || device.state === STATES.revoked;
    expect(didDocumentMetadata.deactivated ?? false, `3. ${id} is deactivated`).to.equal(ended);
    const account = (address: string) => `eip155:${world.chainId}:${address}`;
    const named = new Map(
      (didDocument?.verificationMethod ?? []).map((method) => [
        method.id.split("#")[1] ?? "",
        method.blockchainAccountId ?? `0x${method.publicKeyHex}`,
      ]),
    );
    const expected = new Map<string, string>();
    if (!ended) expected.set("controller", account(device.state === STATES.none ? id : device.owner));
    if (isAlive(device) && (device.holds & HOLDS.keyless) === 0) {
      expected.set(`delegate-${device.number}`, this.keyInDocument(device.signer, account));
    }
    for (const { kind, account: delegate, validTo, number } of isAlive(device) ? device.delegates : []) {
      if (toUtf8String(kind).startsWith("veriKey") && validTo >= model.time) {
        expected.set(`delegate-${number}`, account(delegate));
      }
    }
    const sorted = (map: Map<string, string>) => [...map].sort(([a], [b]) => a.localeCompare(b));
    expect(sorted(named), `3. the keys of ${id} in its document`).to.deep.equal(sorted(expected));
    const services = (didDocument?.service ?? []).map(({ type, serviceEndpoint }) => `${type} ${serviceEndpoint}`);
    expect(services.sort(), `3. the services of ${id}`).to.deep.equal(ended ? [] : this.servicesOf(device));
    await this.checkKeys(device, [...named.values()], account);
  }

  /** Of all keys that the device ever had, the registry takes those in its document, and only while it is active. */
  private async checkKeys(device: Device, shown: string[], account: (address: string) => string): Promise<void> {
    const { registry } = this.cast.world;
    for (const signer of device.keys) {
      const { bytes } = this.cast.signatureBy(signer, DIGEST);
      const taken = await registry.isSignedByDevice(device.id, toHex(DIGEST), signer, bytes);
      // Its owner may name the same account as a delegate: that is another entry, of the same text.
      const twice = this.keyInDocument(signer, account);
      const delegated =
        device.delegates.some((one) => account(one.account) === twice) || twice === account(device.owner);
      const inDocument = shown.includes(twice) && (!delegated || this.cast.model.holdsKey(device, signer));
      expect(taken, `3. ${device.id} speaks by ${signer}`).to.equal(inDocument && device.state === STATES.active);
      if (signer.length === 42) {
        const valid = await registry.validDelegate(device.id, SIG_AUTH, signer);
        expect(valid, `3. ${signer} is the key of ${device.id}`).to.equal(inDocument && isAlive(device));
      }
    }
    for (const { kind, account: delegate, validTo } of device.delegates) {
      const valid = await registry.validDelegate(device.id, kind, delegate);
      expect(valid, `3. ${delegate} is a delegate of ${device.id}`).to.equal(
        isAlive(device) && validTo >= this.cast.model.time,
      );
    }
  }

  /** How a document shows a key. */
  private keyInDocument(signer: string, account: (address: string) => string): string {
    const bytes = fromHex(signer);
    if (bytes.length === 20) return account(getAddress(signer));
    const parity = (bytes.at(-1) ?? 0) % 2 === 1 ? "03" : "02";
    return `0x8024${parity}${toHex(bytes.subarray(20, 52)).slice(2)}`;
  }

  private servicesOf(device: Device): string[] {
    return [...device.services]
      .filter(([, validTo]) => validTo >= this.cast.model.time)
      .map(([what]) => what.split(" ").map((word) => toUtf8String(word).replaceAll("\0", "")))
      .filter(([name]) => name?.startsWith("did/svc/"))
      .map(([name, value]) => `${name?.slice(8)} ${value}`)
      .sort();
  }

  /** Each view of a device with the answer that the model gives. */
  private viewsOf(device: Device): [input: string, answer: string][] {
    const { id } = device;
    const delegates = isAlive(device) ? device.delegates : [];
    const { model } = this.cast;
    const none = device.state === STATES.none;
    const ceiling = model.lotOf(device)?.assurance ?? 0;
    const { activatedAt, ownedSince, stateSince, holds, state, signer } = device;
    const kind = none ? 0 : (model.kindOf(signer) ?? 0);
    const assurance = Math.min(device.assurance, ceiling);
    const keyless = !isAlive(device) || (holds & HOLDS.keyless) !== 0;
    const key = keyless || device.keyEvents === 0 ? KEYLESS : keccak256(signer).slice(0, 62);
    const user = device.state === STATES.active && device.userExpires >= model.time ? device.user : NOBODY;
    const bond = none || device.bondGone ? 0n : model.bondOf(device);
    const ask = (view: string, ...answer: unknown[]): [string, string] => [
      this.coder.encodeFunctionData(view, [id]),
      this.coder.encodeFunctionResult(view, answer),
    ];
    const list = [delegates.map((one) => one.kind), delegates.map((one) => one.account)];
    const missing = this.coder.encodeErrorResult("ERC721NonexistentToken", [id]);
    const token = (view: string, answer: string): [string, string] =>
      none ? [ask(view, answer)[0], missing] : ask(view, answer);
    return [
      ask("deviceOf", state, kind, assurance, activatedAt, ownedSince, stateSince, device.lot ?? NO_HASH),
      ask("standingOf", holds, bond),
      token("ownerOf", device.owner),
      ask("identityOwner", none ? id : isAlive(device) ? device.owner : NOBODY),
      ask("changed", device.changed),
      ask("keyOf", key, keyless ? 0 : device.number),
      ask(
        "delegatesOf",
        ...list,
        delegates.map((one) => one.validTo),
        delegates.map((one) => one.number),
      ),
      ask("attributesOf", device.attributes),
      ask("userOf", user),
      ask("userExpires", device.userExpires),
      token("getApproved", device.approved),
    ];
  }

  private read({ id }: Device, answers: readonly string[]): Seen {
    const [device = "", standing = "", token = "", controller = "", changed = ""] = answers;
    const { state } = this.coder.decodeFunctionResult("deviceOf", device);
    const { holds, bond } = this.coder.decodeFunctionResult("standingOf", standing);
    const owner = Number(state) === STATES.none ? NOBODY : this.coder.decodeFunctionResult("ownerOf", token)[0];
    const [by] = this.coder.decodeFunctionResult("identityOwner", controller);
    if (owner === NOBODY) expect(token.slice(0, 10), `${id} is no token`).to.equal("0x7e273289");
    return { state: Number(state), holds: Number(holds), bond, owner, controller: by, changed: BigInt(changed) };
  }

  /** Many views in one call. */
  private ask(inputs: string[], account = this.cast.world.addresses.DeviceRegistry): Promise<string[]> {
    return this.reader.getFunction("callRaw").staticCall(account, inputs);
  }

  private complain(input: string, answer: string, expected: string): void {
    const view = this.coder.parseTransaction({ data: input });
    const words = (data: string) =>
      view && data.length % 64 === 2 ? this.coder.decodeFunctionResult(view.name, data).toArray() : data;
    expect(words(answer), `${view?.name}(${view?.args.join()})`).to.deep.equal(words(expected));
    expect(answer).to.equal(expected);
  }
}
