import { Batch } from "../../toolkit/anchoring/batches.js";
import type { Evidence } from "../../toolkit/anchoring/evidence.js";
import { readLog } from "../../toolkit/anchoring/log-reader.js";
import { contentOf, schemaIdOf, signReading } from "../../toolkit/anchoring/readings.js";
import type { DeviceKey } from "../../toolkit/identity/keys.js";
import { fromHex } from "../../toolkit/internal/bytes.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { keyOf } from "../identity/fleet.js";
import type { Deployed } from "../support.js";

const schema = schemaIdOf({ quantity: "wind_speed", unit: "m/s", scale: 2 });
const START = 1_700_000_000n;
/** How many readings are in a batch, and which of them evidence is made of. */
const [COUNT, MINE] = [8, 3];

/** Who anchors for devices. */
export const gatewayOf = (world: Deployed) => world.accounts[1] ?? world.operator;

/** Anchors a batch of eight readings, one of each device, and returns the evidence of one of them. */
export async function anchorReading(
  world: Deployed,
  by: DeviceKey,
  { device = by.id, time = START, alone = false } = {},
): Promise<Evidence> {
  const measured = Array.from({ length: COUNT }, (_, k) => {
    const measurement = { value: BigInt(300 + k), salt: fromHex(secretOf(4, `salt-${k}`)) };
    const reading = { sequence: BigInt(k), time: time + BigInt(k), schema, content: contentOf(measurement) };
    const key = k === MINE ? { ...by, id: device } : keyOf(`other-${k}`);
    return { measurement, reading: signReading(key, world.digests, reading) };
  });
  const mine = measured[MINE];
  if (!mine) throw new Error("No reading.");
  const readings = measured.map(({ reading }) => reading);
  const batch = new Batch(readings, world.digests);
  const { count, first, last, values } = batch.header;
  const entry = alone ? world.digests.reading(mine.reading) : batch.entry;
  return {
    domain: { chainId: world.chainId, registry: world.addresses.DeviceRegistry },
    anchor: world.addresses.DataAnchor,
    key: { kind: by.kind, material: by.material, id: by.id },
    reading: mine.reading,
    content: { kind: "scalar", ...mine.measurement },
    ...(!alone && { batch: { count, first, last, values, proof: batch.prove(MINE) } }),
    entry: await appended(world, entry),
  };
}

async function appended(world: Deployed, entry: Uint8Array): Promise<Evidence["entry"]> {
  const publisher = gatewayOf(world);
  const [index] = await world.anchor.headOf(publisher.address);
  await world.anchor.connect(publisher).append(publisher.address, index, entry);
  const time = BigInt(await world.networkHelpers.time.latest());
  const { range } = await readLog(world.ethers.provider, world.addresses.DataAnchor, publisher.address);
  return { publisher: publisher.address, index, time, siblings: range.prove(Number(index)) };
}
