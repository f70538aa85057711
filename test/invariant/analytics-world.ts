import type { ContractTransactionReceipt, ContractTransactionResponse } from "ethers";
import { Origin, type ResultLeaf } from "../../toolkit/analytics/result-tree.js";
import { decodeRevert, revertDataOf } from "../../toolkit/reverts.js";
import {
  anchored,
  asked,
  attestedLeaf,
  ITC,
  type Market,
  openMarket,
  provedLeaf,
  raise,
  readingsOf,
  withheldLeaf,
} from "../analytics/market.js";
import { rotate } from "../analytics/questions.js";
import { keyOf } from "../identity/fleet.js";
import { type Consents, latestAt, type ModelDevice, type ModelRequest } from "./analytics-model.js";

/** How a call ends: `done`, `refused`, `slashed`, `dismissed`, or an error's name. */
export type Outcome = string;

const REFUSALS = new Set(["CourtNothingWrong", "CourtNoGap"]);

/** A market with a model of everything in it that challenges depend on. */
export class AnalyticsWorld {
  readonly consents: Consents[];
  readonly requests: ModelRequest[] = [];

  private constructor(
    readonly market: Market,
    readonly devices: readonly ModelDevice[],
    start: bigint,
  ) {
    this.consents = market.owners.map(() => [{ time: start, granted: true }]);
  }

  static async open(): Promise<AnalyticsWorld> {
    const market = await openMarket();
    await market.itc.transfer(market.company.address, 100_000n * ITC);
    const devices = await Promise.all(
      market.keys.slice(0, 6).map(async (first, k): Promise<ModelDevice> => {
        const { stateSince } = await market.registry.deviceOf(first.id);
        const changedBlock = await market.registry.changed(first.id);
        const owners = [{ time: stateSince, owner: k % 3 }];
        return { first, key: first, nonce: 0n, isActive: true, stateSince, changedBlock, owners };
      }),
    );
    return new AnalyticsWorld(market, devices, BigInt(await market.networkHelpers.time.latest()));
  }

  async now(): Promise<bigint> {
    return BigInt(await this.market.networkHelpers.time.latest());
  }

  /** Sends a call that must succeed, and says in which second and block. */
  async done(call: Promise<ContractTransactionResponse>): Promise<{ time: bigint; block: bigint }> {
    const receipt = await (await call).wait();
    const block = receipt?.blockNumber ?? raise();
    return { time: await this.now(), block: BigInt(block) };
  }

  /** Sends a call, and says how it ended: for a challenge the ruling, for others the error's name. */
  async outcomeOf(call: Promise<ContractTransactionResponse>): Promise<Outcome> {
    try {
      return this.rulingIn(await (await call).wait());
    } catch (error) {
      const name = decodeRevert(revertDataOf(error) ?? "0x")?.name ?? String(error);
      return REFUSALS.has(name) ? "refused" : name;
    }
  }

  address(owner: number): string {
    return this.market.owners[owner]?.address ?? raise();
  }

  /** Whether a device's readings, signed with its first key, can be shown to be its own now. */
  isUsable({ isActive, key, first }: ModelDevice): boolean {
    return isActive && key === first;
  }

  /** Whose the device was at a request's snapshot. */
  holderOf(k: number, { snapshot }: ModelRequest): number {
    return latestAt(this.device(k).owners, snapshot)?.owner ?? raise();
  }

  agreed(owner: number, { snapshot }: ModelRequest): boolean {
    return latestAt(this.consents[owner] ?? [], snapshot)?.granted ?? false;
  }

  /** Whether the contracts take an owner's device for eligible now. */
  isEligible(owner: number, k: number, of: ModelRequest): boolean {
    const device = this.device(k);
    const lived = device.isActive || device.stateSince >= of.snapshot;
    return lived && this.wasMember(owner, k, of);
  }

  /** Whether a device belongs to the list, if only as withheld; all are of old. */
  wasMember(owner: number, k: number, of: ModelRequest): boolean {
    return this.holderOf(k, of) === owner && this.agreed(owner, of);
  }

  /** How many readings of a device were contributed, as far as that holds. */
  contributed(k: number, of: ModelRequest): bigint {
    const made = of.contributed.get(k);
    const { isActive, stateSince, changedBlock } = this.device(k);
    return made && isActive && stateSince <= made.time && changedBlock <= made.block ? made.count : 0n;
  }

  isSteady(k: number, { time, block }: { readonly time: bigint; readonly block: bigint }): boolean {
    const { stateSince, changedBlock } = this.device(k);
    return stateSince < time && changedBlock < block;
  }

  /** Opens a request, and anchors two readings of each device in a log of its own. */
  async request(query: object, seconds: bigint): Promise<ModelRequest> {
    const { market, requests } = this;
    const from = await this.now();
    const window = { from, to: from + 60n, anchoredBy: from + 600n, ...query };
    const terms = { deadline: from + seconds };
    const request = await asked(market, {
      salt: `0x${requests.length.toString(16).padStart(64, "0")}`,
      query: window,
      terms,
    });
    const snapshot = await this.now();
    const gateway = market.accounts[8 + requests.length] ?? raise();
    const kept = this.devices.map(({ first }, k) => readingsOf(market, request, first, [BigInt(k), 50n]));
    const batch = await anchored({ ...market, gateway }, kept.flat());
    const opened: ModelRequest = {
      request,
      snapshot,
      kept,
      batch,
      contributed: new Map(),
      status: "open",
      lastSecond: request.terms.deadline,
      slashed: 0n,
    };
    requests.push(opened);
    return opened;
  }

  /** The leaves that an honest proposer would have now, each with its device's number. */
  honestLeaves(of: ModelRequest): { readonly k: number; readonly leaf: ResultLeaf }[] {
    return this.devices.flatMap((device, k) => {
      const holder = this.holderOf(k, of);
      if (!this.agreed(holder, of)) return [];
      const owner = this.address(holder);
      const leaf = this.isUsable(device)
        ? provedLeaf(of.request, owner, of.kept[k] ?? raise())
        : withheldLeaf(of.request, owner, device.first);
      return [{ k, leaf }];
    });
  }

  /** A leaf in the device's word that it never gave. */
  async forgedLeaf(of: ModelRequest, k: number): Promise<ResultLeaf> {
    const { request } = of;
    const owner = this.address(this.holderOf(k, of));
    const { partial } = provedLeaf(request, owner, of.kept[k] ?? raise());
    const leaf = await attestedLeaf(this.market, request, owner, this.device(k).first, { partial, count: 2n });
    return { ...leaf, origin: Origin.Attested, evidence: [leaf.evidence[0], new Uint8Array(65)] };
  }

  async toggleState(k: number): Promise<void> {
    const device = this.device(k);
    const owner = device.owners.at(-1)?.owner ?? raise();
    const as = this.market.registry.connect(this.market.owners[owner] ?? raise());
    const { time } = await this.done(device.isActive ? as.suspend(device.first.id) : as.resume(device.first.id));
    [device.isActive, device.stateSince] = [!device.isActive, time];
  }

  async rotateKey(k: number): Promise<void> {
    const device = this.device(k);
    if (!device.isActive) return;
    const next = device.key === device.first ? keyOf(`walk ${k} ${device.nonce}`) : device.first;
    const call = rotate(this.market, device.key, next, device.first.id, device.nonce);
    device.changedBlock = (await this.done(call)).block;
    [device.key, device.nonce] = [next, device.nonce + 2n];
  }

  /** A sale. Its owner notes first what he had, so that it is known for good. */
  async sell(k: number, to: number): Promise<void> {
    const device = this.device(k);
    const owner = device.owners.at(-1)?.owner ?? raise();
    if (owner === to || !device.isActive) return;
    const { registry, holdings, owners } = this.market;
    await this.done(holdings.note([device.first.id]));
    await this.market.networkHelpers.time.increase(5);
    await this.done(holdings.note([device.first.id]));
    const as = registry.connect(owners[owner] ?? raise());
    const moved = await this.done(as.transferFrom(this.address(owner), this.address(to), device.first.id));
    device.owners.push({ time: moved.time, owner: to });
    device.changedBlock = moved.block;
  }

  async toggleConsent(owner: number): Promise<void> {
    const { market } = this;
    const said = this.consents[owner] ?? raise();
    const granted = !(said.at(-1)?.granted ?? false);
    const as = market.consents.connect(market.owners[owner] ?? raise());
    const terms = { expiry: 4_000_000_000n, cohort: 0n, price: 0n, budget: 2n ** 64n - 1n };
    const call = granted ? as.grant(this.purpose, terms) : as.revoke(this.purpose);
    said.push({ time: (await this.done(call)).time, granted });
  }

  device(k: number): ModelDevice {
    return this.devices[k] ?? raise();
  }

  private get purpose(): string {
    return this.requests[0]?.request.purpose ?? raise();
  }

  private rulingIn(receipt: ContractTransactionReceipt | null): Outcome {
    const { court } = this.market;
    for (const log of receipt?.logs ?? []) {
      const parsed = court.interface.parseLog(log);
      if (parsed?.name === "ChallengeUpheld") return parsed.args.slashed ? "slashed" : "dismissed";
    }
    return "done";
  }
}
