import { writeEvidence } from "../anchoring/evidence.js";
import { Gateway } from "../anchoring/gateway.js";
import { verifyEvidence } from "../anchoring/verify.js";
import { deviceKey } from "../identity/keys.js";
import { fromHex, toHex } from "../internal/bytes.js";
import type { Account } from "./chain.js";
import type { Measured } from "./devices.js";
import { secretOf } from "./fixture.js";
import type { StepOf } from "./scenario-schema.js";
import type { SourceReading } from "./sources.js";
import type { Anchored, FleetState, Member, World } from "./world.js";

/** Which readings are due, and what else happens to one as soon as it is signed. */
export interface Recording {
  /** Readings of this instant and later wait. */
  readonly until?: bigint | undefined;
  readonly each?: (member: Member, measured: Measured) => Promise<void>;
}

/** Has devices measure and sign in the order of time, and gateways batch and anchor what they get. */
export async function record(world: World, step: StepOf<"record">): Promise<string> {
  const fleets = step.fleets.map((name) => world.fleet(name));
  const before = world.anchored.length;
  const batches = await recordFleets(world, fleets, step.batch, { until: step.until });
  return `${world.anchored.length - before} readings in ${batches} batches`;
}

/** The same for fleets that were looked up; returns how many batches were anchored. */
export async function recordFleets(
  world: World,
  fleets: readonly FleetState[],
  capacity: number,
  recording: Recording = {},
): Promise<number> {
  let batches = 0;
  for (const name of new Set(fleets.map(({ spec }) => spec.gateway))) {
    const served = fleets.filter(({ spec }) => spec.gateway === name);
    batches += await serve(world, world.gateway(name).gateway, served, capacity, recording);
  }
  return batches;
}

/** Checks a sample of readings as somebody who has their bundles and a node, and nothing else. */
export async function verify(world: World, step: StepOf<"verify">): Promise<string> {
  const { verification } = world;
  for (const anchored of sample(world, step.sample)) {
    const bundle = evidenceOf(anchored);
    const { DeviceRegistry: registry, DataAnchor: logs } = world.addresses;
    const { holds, findings } = await verifyEvidence(bundle, world.chain.reader, { registry, anchor: logs });
    verification.sampled += 1;
    await world.keepEvidence(`${anchored.reading.device}-${anchored.reading.sequence}.itcproof`, bundle);
    verification.bytes.push(bundle.length);
    if (holds) verification.verified += 1;
    else
      verification.failures.push(
        findings
          .filter((found) => !found.holds)
          .map(({ what }) => what)
          .join(", "),
      );
    if (verification.sampled === 1) verification.example = findings.map(({ what, detail }) => `${what}: ${detail}`);
    world.tick(1);
  }
  return `${verification.verified} of ${verification.sampled} proved from bundle and node alone`;
}

/** The bundle that proves a reading, with what it says. */
export function evidenceOf({ gateway, reading, measurement }: Anchored): string {
  const evidence = gateway.evidenceOf(reading.device, reading.sequence);
  return writeEvidence({ ...evidence, content: { kind: "scalar", ...measurement } });
}

/** A gateway that works for one account on the harness's chain. Replays have old data, and wait for nothing. */
export function openGateway(world: World, account: Account): Promise<Gateway> {
  const { DeviceRegistry: registry, DataAnchor: anchor } = world.addresses;
  return Gateway.open({
    file: ":memory:",
    publisher: deviceKey("secp256k1", fromHex(account.wallet.privateKey)),
    node: world.chain.nodeFor(account, "append a batch"),
    chainId: world.chain.id,
    registry,
    anchor,
    fees: { ceiling: FEE_CEILING },
    batch: { bytes: Number.MAX_SAFE_INTEGER, seconds: DAY },
    intake: { behind: AGES, ahead: AGES },
    confirmations: 0n,
    poll: 1,
    patience: 600_000,
  });
}

const DAY = 86_400n;
const AGES = 1n << 40n;
const FEE_CEILING = 10n ** 13n;

async function serve(
  world: World,
  gateway: Gateway,
  fleets: readonly FleetState[],
  capacity: number,
  { until, each }: Recording,
): Promise<number> {
  const due = fleets.flatMap((fleet) =>
    fleet.members.flatMap((member) => dueOf(member, until).map((reading) => ({ fleet, member, ...reading }))),
  );
  for (const { member } of due) gateway.admit(member.device.key, member.device.nextSequence);
  due.sort((a, b) => Number(a.time - b.time));
  // By schema, as they get into batches: whoever proves them in this order has each batch at hand.
  const sent = new Map<string, Anchored[]>();
  for (const { fleet, member, time, value } of due) {
    const measured = member.device.measure(world.digests, fleet.schema, time, value);
    gateway.receive(measured.reading);
    const schema = toHex(fleet.schema);
    const others = sent.get(schema) ?? [];
    others.push({ ...measured, fleet, member, gateway });
    sent.set(schema, others);
    await each?.(member, measured);
    world.tick(1);
  }
  const before = gateway.status().batches.sealed;
  await gateway.flush(capacity);
  for (const anchored of sent.values()) world.anchored.push(...anchored);
  return Number(gateway.status().batches.sealed - before);
}

/** What a device is still to measure, in the order of time. */
export function dueOf({ device, series }: Member, until?: bigint): readonly SourceReading[] {
  const left = series.readings.slice(Number(device.nextSequence));
  return until === undefined ? left : left.filter(({ time }) => time < until);
}

/** A sample that the seed fixes, none twice. */
function sample(world: World, size: number): Anchored[] {
  const left = [...world.anchored];
  const chosen: Anchored[] = [];
  for (let k = 0; k < size && left.length > 0; k++) {
    const place = Number(BigInt(secretOf(world.scenario.seed, `sample:${k}`)) % BigInt(left.length));
    chosen.push(...left.splice(place, 1));
  }
  return chosen;
}
