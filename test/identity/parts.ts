import { expect } from "chai";
import type { Signer } from "ethers";
import { partIdOf, prefixHashOf, serialHashOf } from "../../toolkit/identity/epc.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { type Deployed, deployed } from "../support.js";
import { activationOf, enrolLot, keyOf, makeIssuer, send } from "./fleet.js";

/** The ranks, numbered as in Solidity. */
export const RANK = { none: 0, ipBlock: 1, chip: 2, module: 3, device: 4, installation: 5 } as const;
export const STATE = { none: 0n, active: 1n, inTransit: 2n, decommissioned: 3n } as const;

/** An EPC of a maker's prefix; the name is its serial. */
export function epcOf(prefix: string, name: string): string {
  return `urn:epc:id:sgtin:${prefix}.${"0".repeat(13 - prefix.length)}.${name}`;
}

export const idOf = (prefix: string, name: string): string => partIdOf(epcOf(prefix, name));

/** Commissions a good; the answer is its id, whether or not the claim was a right one. */
export async function commission(
  world: Deployed,
  maker: Signer,
  prefix: string,
  name: string,
  rank: number,
  designs: readonly string[] = [],
): Promise<string> {
  const uri = epcOf(prefix, name);
  await world.provenance.connect(maker).commission(prefixHashOf(prefix), serialHashOf(uri), rank, [...designs].sort());
  return partIdOf(uri);
}

export const UNKNOWN = secretOf(1, "no part");
export const SITE = epcOf("7654321", "roof");
/** Prefixes of the makers: of designs, of chips, of modules and devices. */
export const [ARC, SIL, DEV] = ["1111111", "2222222", "3333333"];
export const [core, radio, chip, module, device, spare] = [
  idOf(ARC, "core"),
  idOf(ARC, "radio"),
  idOf(SIL, "chip"),
  idOf(DEV, "module"),
  idOf(DEV, "device"),
  idOf(DEV, "spare"),
];
export const [first, second, foreign] = [keyOf("part-1"), keyOf("part-2"), keyOf("part-3")];

/** Three makers with their parts, as new for each test. Call it in a `describe`. */
export class Workshop {
  private opened: Deployed | undefined;
  private restore: () => Promise<void> = async () => {};

  constructor() {
    before(() => this.open());
    beforeEach(async () => {
      const snapshot = await this.world.networkHelpers.takeSnapshot();
      this.restore = () => snapshot.restore();
    });
    afterEach(() => this.restore());
  }

  get world(): Deployed {
    if (!this.opened) throw new Error("The workshop opens in `before`.");
    return this.opened;
  }

  readonly signer = (k: number) => this.world.accounts[k] ?? this.world.operator;
  readonly architect = () => this.signer(0);
  readonly silicon = () => this.signer(1);
  readonly maker = () => this.signer(2);
  readonly holder = () => this.signer(3);
  readonly stranger = () => this.signer(4);
  readonly as = (who: Signer) => this.world.provenance.connect(who);
  readonly of = (id: string) => this.world.provenance.partOf(id);

  /** Expects a refusal, and that it changed nothing about the parts. */
  readonly refuses = async (call: () => Promise<unknown>, error: string, ...args: unknown[]): Promise<void> => {
    const look = async () =>
      JSON.stringify(await Promise.all([core, chip, module, device, spare].map(this.of)), (_key, value: unknown) =>
        typeof value === "bigint" ? value.toString() : value,
      );
    const before = await look();
    const expectation = expect(call()).to.be.revertedWithCustomError(this.world.provenance, error);
    await (args.length > 0 ? expectation.withArgs(...args) : expectation);
    expect(await look()).to.equal(before);
  };

  /** The chip goes to the maker, who builds a device of it. */
  readonly build = async (): Promise<void> => {
    await this.as(this.silicon()).handOver(chip, this.maker().address);
    await this.as(this.maker()).accept(chip, 1);
    await this.as(this.maker()).assemble(module, chip);
    await this.as(this.maker()).assemble(device, module);
  };

  private async open(): Promise<void> {
    const world = await deployed();
    this.opened = world;
    const { architect, silicon, maker, stranger } = this;
    const prefixes = [ARC, SIL, DEV];
    for (const [k, who] of [architect(), silicon(), maker()].entries()) {
      await makeIssuer(world, who);
      await this.as(who).claimPrefix(prefixHashOf(prefixes[k] ?? ""));
    }
    for (const name of ["core", "radio"]) await commission(world, architect(), ARC, name, RANK.ipBlock);
    await this.as(architect()).setLicence(core, silicon().address, true);
    await commission(world, silicon(), SIL, "chip", RANK.chip, [core]);
    for (const name of ["module", "spare"]) await commission(world, maker(), DEV, name, RANK.module);
    for (const name of ["device", "device-2"]) await commission(world, maker(), DEV, name, RANK.device);
    const lot = await enrolLot(world, maker(), [first, second]);
    for (const key of [first, second]) await send(world, activationOf(world, lot, key, stranger().address));
    const other = await enrolLot(world, silicon(), [foreign]);
    await send(world, activationOf(world, other, foreign, stranger().address));
  }
}
