import { expect } from "chai";
import { type ContractTransactionResponse, id, type Signer } from "ethers";
import { DeviceRegions__factory, Eligibility__factory, Holdings__factory } from "../../toolkit/contracts.js";
import { activeLot, keyOf } from "../identity/fleet.js";
import { type Deployed, deployed } from "../support.js";

export const UNLIMITED = 2n ** 64n - 1n;
export const PURPOSE = id("terms that a person can read");
export const TERMS = { expiry: 4_000_000_000n, cohort: 5n, price: 7n, budget: 1_000_000n };
/** What `consentAt` answers where there is no consent. */
export const NO = [false, 0n, 0n, 0n];

/** The answer of `consentAt` for a consent on these terms. */
export function yes({ cohort, price, budget } = TERMS): unknown[] {
  return [true, cohort, price, budget];
}

export const keys = Array.from({ length: 11 }, (_, k) => keyOf(`consenting-${k}`));
export const unborn = keyOf("consenting, never active");
export const [key, sibling] = keys as [(typeof keys)[0], (typeof keys)[0]];
export const device = key.id;

async function openWorld() {
  const world = await deployed();
  const { addresses, operator } = world;
  const owner = world.accounts[1] ?? operator;
  const buyer = world.accounts[2] ?? operator;
  const stranger = world.accounts[3] ?? operator;
  const maker = world.accounts[0] ?? operator;
  const verifier = world.accounts[4] ?? operator;
  const lot = await activeLot(world, keys, { unborn: [unborn], owner: owner.address });
  const holdings = Holdings__factory.connect(addresses.Holdings, operator);
  const regions = await new DeviceRegions__factory(operator).deploy(addresses.DeviceRegistry);
  const eligibility = await new Eligibility__factory(operator).deploy(
    addresses.DeviceRegistry,
    addresses.ConsentRegistry,
    regions,
    addresses.Attestations,
  );
  return { ...world, world, owner, buyer, stranger, maker, verifier, lot, holdings, regions, eligibility };
}

export type ConsentingWorld = Awaited<ReturnType<typeof openWorld>>;

/** For a suite: an owner with ten devices, all contracts that say who may be in a result; anew for each test. */
export function consentingOwner() {
  let world: ConsentingWorld;
  let restore: () => Promise<void>;

  before(async () => {
    world = await openWorld();
  });

  beforeEach(async () => {
    const snapshot = await world.networkHelpers.takeSnapshot();
    restore = () => snapshot.restore();
  });

  afterEach(() => restore());

  const now = async () => BigInt(await world.networkHelpers.time.latest());

  return {
    world: () => world,
    now,
    /** Lets time pass, and says what it is then. */
    async later(seconds = 10n): Promise<bigint> {
      await world.networkHelpers.time.increase(seconds);
      return now();
    },
    mine: () => world.consents.connect(world.owner),
    consentAt: async (time: bigint, by = world.owner.address, of: string = device) => [
      ...(await world.consents.consentAt(by, of, PURPOSE, time)),
    ],
    transfer: (from = world.owner, to = world.buyer, of: string = device) =>
      world.registry.connect(from).transferFrom(from.address, to.address, of, { gasLimit: 500_000 }),
    inOneSecond: (...calls: (() => Promise<ContractTransactionResponse>)[]) => inOneSecond(world, calls),
  };
}

/** Mines transactions together, in this order, and says at what time. Calls give their gas: estimates don't see each other. */
export async function inOneSecond(
  world: Deployed,
  calls: readonly (() => Promise<ContractTransactionResponse>)[],
): Promise<bigint> {
  await world.provider.request({ method: "evm_setAutomine", params: [false] });
  const sent: ContractTransactionResponse[] = [];
  for (const call of calls) sent.push(await call());
  await world.networkHelpers.mine();
  await world.provider.request({ method: "evm_setAutomine", params: [true] });
  const receipts = await Promise.all(sent.map((transaction) => transaction.wait()));
  expect(new Set(receipts.map((receipt) => receipt?.blockNumber)).size).to.equal(1);
  return BigInt(await world.networkHelpers.time.latest());
}

export async function gasOf(sent: Promise<ContractTransactionResponse>): Promise<bigint> {
  return (await (await sent).wait())?.gasUsed ?? 0n;
}

/** What `decideFor` takes. */
export interface SignedDecision {
  readonly owner: string;
  readonly decision: number;
  readonly purpose: string;
  readonly devices: string[];
  readonly terms: typeof TERMS;
  readonly nonce: bigint;
  readonly deadline: bigint;
}

const DECISIONS = [
  "grant for all my devices",
  "grant for these devices",
  "revoke for all my devices",
  "revoke for these devices",
  "unlist these devices",
];

const FIELDS = [
  ["address", "owner"],
  ["string", "decision"],
  ["bytes32", "purpose"],
  ["address[]", "devices"],
  ["uint64", "expiry"],
  ["uint64", "cohort"],
  ["uint128", "price"],
  ["uint64", "budget"],
  ["uint64", "nonce"],
  ["uint64", "deadline"],
];

/** What a wallet makes of a decision; the owner's unless another is named. */
export function signatureOn(world: ConsentingWorld, signed: SignedDecision, by: Signer = world.owner): Promise<string> {
  const { chainId, addresses } = world;
  const domain = { name: "ConsentRegistry", version: "1", chainId, verifyingContract: addresses.ConsentRegistry };
  const types = { Consent: FIELDS.map(([type = "", name = ""]) => ({ type, name })) };
  return by.signTypedData(domain, types, { ...signed, ...signed.terms, decision: DECISIONS[signed.decision] });
}
