import type { Batch } from "../anchoring/batches.js";
import { writeEvidence } from "../anchoring/evidence.js";
import { Gateway } from "../anchoring/gateway.js";
import { entryLeaf } from "../anchoring/mountain-range.js";
import { verifyEvidence } from "../anchoring/verify.js";
import { toHex } from "../internal/bytes.js";
import type { Receipt } from "./chain.js";
import type { Measured } from "./devices.js";
import { secretOf } from "./fixture.js";
import type { StepOf } from "./scenario-schema.js";
import type { Anchored, FleetState, GatewayState, Member, World } from "./world.js";

/** A reading on its way into a log. */
interface Sent extends Measured {
  readonly fleet: FleetState;
  readonly member: Member;
}

/** Has devices measure and sign in the order of time, and gateways batch and anchor what they get. */
export async function record(world: World, step: StepOf<"record">): Promise<string> {
  const fleets = step.fleets.map((name) => world.fleet(name));
  const before = world.anchored.length;
  let batches = 0;
  for (const name of new Set(fleets.map(({ spec }) => spec.gateway))) {
    const served = fleets.filter(({ spec }) => spec.gateway === name);
    batches += await serve(world, world.gateway(name), served, step.batch);
  }
  return `${world.anchored.length - before} readings in ${batches} batches`;
}

/** Checks a sample of readings as somebody who has their bundles and a node, and nothing else. */
export async function verify(world: World, step: StepOf<"verify">): Promise<string> {
  const { verification } = world;
  for (const anchored of sample(world, step.sample)) {
    const bundle = evidenceOf(world, anchored);
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

/** The bundle that proves a reading. */
export function evidenceOf(world: World, anchored: Anchored): string {
  const { reading, measurement, member, gateway, batch, place, index, time } = anchored;
  const { count, first, last } = batch.header;
  return writeEvidence({
    domain: { chainId: world.chain.id, registry: world.addresses.DeviceRegistry },
    anchor: world.addresses.DataAnchor,
    key: member.device.key,
    reading,
    content: { kind: "scalar", ...measurement },
    batch: { count, first, last, proof: batch.prove(place) },
    entry: {
      publisher: gateway.account.address,
      index: BigInt(index),
      time,
      siblings: gateway.range.prove(index),
    },
  });
}

async function serve(
  world: World,
  state: GatewayState,
  fleets: readonly FleetState[],
  capacity: number,
): Promise<number> {
  const gateway = new Gateway(world.digests, capacity);
  const due = fleets.flatMap((fleet) => fleet.members.flatMap((member) => scheduleOf(fleet, member)));
  for (const { member } of due) gateway.admit(member.device.key, member.device.nextSequence);
  due.sort((a, b) => Number(a.time - b.time));
  const sent = new Map<string, Sent>();
  for (const { fleet, member, time, value } of due) {
    const measured = member.device.measure(world.digests, fleet.schema, time, value);
    gateway.receive(measured.reading);
    sent.set(keyOf(measured.reading), { ...measured, fleet, member });
    world.tick(1);
  }
  const batches = gateway.seal();
  for (const batch of batches) await anchor(world, state, batch, sent);
  return batches.length;
}

function scheduleOf(
  fleet: FleetState,
  member: Member,
): { fleet: FleetState; member: Member; time: bigint; value: bigint }[] {
  return member.series.readings.map(({ time, value }) => ({ fleet, member, time, value }));
}

async function anchor(
  world: World,
  gateway: GatewayState,
  batch: Batch,
  sent: ReadonlyMap<string, Sent>,
): Promise<void> {
  const index = gateway.range.size;
  const { account } = gateway;
  const args = [account.address, index, toHex(batch.entry)];
  const time = timeOf(world, await world.send(account, "DataAnchor", "append", args, "append a batch"));
  gateway.range.append(entryLeaf(batch.entry, time));
  batch.readings.forEach((reading, place) => {
    const found = sent.get(keyOf(reading));
    if (found) world.anchored.push({ ...found, gateway, batch, place, index, time });
  });
}

function timeOf(world: World, receipt: Receipt): bigint {
  const contract = world.interfaceOf("DataAnchor");
  const log = receipt.logs
    .map(({ topics, data }) => contract.parseLog({ topics: [...topics], data }))
    .find((found) => found);
  return BigInt(log?.args.time ?? 0);
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

function keyOf({ device, sequence }: { device: string; sequence: bigint }): string {
  return `${device}:${sequence}`;
}
