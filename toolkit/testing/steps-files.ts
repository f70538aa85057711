import { createCipheriv } from "node:crypto";
import { contentHash } from "../anchoring/contents.js";
import { writeEvidence } from "../anchoring/evidence.js";
import {
  byteRange,
  chunkCount,
  FILE_SCHEMA,
  fileContent,
  hashFile,
  verifyFile,
  verifySegment,
} from "../anchoring/files.js";
import type { Gateway } from "../anchoring/gateway.js";
import { grantTypedData, type OwnerMessage, readOwnerMessage, writeOwnerMessage } from "../anchoring/grant-messages.js";
import { type EcPrivateJwk, type EcPublicJwk, readSealed, SealError, writeSealed } from "../anchoring/jwe.js";
import { isPlaintext, jwkOfSecret, openSealed, SEALED_SCHEMA, seal, thumbprintOf } from "../anchoring/sealing.js";
import { verifyEvidence } from "../anchoring/verify.js";
import { fromHex, keccak256, sameBytes, uintBytes } from "../internal/bytes.js";
import { type Finding, finding } from "../internal/findings.js";
import { secretOf } from "./fixture.js";
import type { StepOf } from "./scenario-schema.js";
import { type Member, type Recorded, ReplayError, type World } from "./world.js";

const PIECE = 2 ** 16;

/** Readings of recordings that go into one batch at most. */
const BATCH = 4096;

/** Has cameras record, and sign each recording; their gateways anchor the readings. */
export async function film(world: World, step: StepOf<"film">): Promise<string> {
  const before = world.recordings.length;
  const time = await world.chain.now();
  const gateways = new Set<Gateway>();
  for (const fleet of step.fleets.map((name) => world.fleet(name))) {
    const { gateway } = world.gateway(fleet.spec.gateway);
    gateways.add(gateway);
    for (const member of fleet.members) {
      gateway.admit(member.device.key, member.device.nextSequence);
      for (let k = 0; k < step.recordings; k++) {
        const recorded = await recordOne(world, member, gateway, { time, size: step.bytes, sealed: step.sealed });
        gateway.receive(recorded.reading);
        world.recordings.push(recorded);
        world.tick(1);
      }
    }
  }
  for (const gateway of gateways) await gateway.flush(BATCH);
  const count = world.recordings.length - before;
  return `${count} recordings of ${step.bytes} bytes${step.sealed ? ", sealed" : ""}`;
}

/** Has the owners of cameras let somebody read what these seal from now on. */
export async function grantKey(world: World, step: StepOf<"grant-key">): Promise<string> {
  const from = await world.chain.now();
  const until = from + step.for;
  const key = publicKeyOf(world, step.to);
  const recipient = await thumbprintOf(key);
  const members = step.fleets.flatMap((name) => world.fleet(name).members);
  for (const member of members) {
    const says = { device: member.device.key.id, recipient, from, until, number: nextNumber(world, member) };
    await deliver(world, member, { kind: "grant", says, key });
    readersOf(world, member).set(step.to, until);
  }
  return `${step.to} may read ${members.length} cameras`;
}

/** Has the owners of cameras end what they have granted to somebody. */
export async function revokeKey(world: World, step: StepOf<"revoke-key">): Promise<string> {
  const from = await world.chain.now();
  const recipient = await thumbprintOf(publicKeyOf(world, step.of));
  const members = step.fleets.flatMap((name) => world.fleet(name).members);
  for (const member of members) {
    const says = { device: member.device.key.id, recipient, from, number: nextNumber(world, member) };
    await deliver(world, member, { kind: "revocation", says });
    readersOf(world, member).delete(step.of);
  }
  return `${step.of} may read ${members.length} cameras no longer`;
}

/** Checks every recording as somebody who has its bundle, its bytes and a node, and one segment of each file alone. */
export async function inspect(world: World, _step: StepOf<"inspect">): Promise<string> {
  const { verification } = world;
  for (const recorded of world.recordings) {
    const { reading, content, gateway } = recorded;
    const bundle = writeEvidence({ ...gateway.evidenceOf(reading.device, reading.sequence), content });
    const { DeviceRegistry: registry, DataAnchor: anchor } = world.addresses;
    const { findings } = await verifyEvidence(bundle, world.chain.reader, { registry, anchor });
    const all = [...findings, ...(await payloadFindings(recorded))];
    const failed = all.filter(({ holds }) => !holds).map(({ what }) => what);
    await world.keepEvidence(`${reading.device}-${reading.sequence}.itcproof`, bundle);
    verification.sampled += 1;
    verification.bytes.push(bundle.length);
    if (failed.length === 0) verification.verified += 1;
    else verification.failures.push(failed.join(", "));
    if (verification.sampled === 1) verification.example = all.map(({ what, detail }) => `${what}: ${detail}`);
    world.tick(1);
  }
  return `${verification.verified} of ${verification.sampled} proved, whole and in part`;
}

/** Has somebody open what was sealed, all of it and nothing else than a grant allowed. */
export async function unseal(world: World, step: StepOf<"unseal">): Promise<string> {
  const key = privateKeyOf(world, step.by);
  let opened = 0;
  let closed = 0;
  for (const recorded of world.recordings) {
    if (!recorded.sealed) continue;
    const may = recorded.sealed.readers.includes(step.by);
    const did = await opens(recorded, key);
    if (may !== did) {
      const what = `${step.by} ${did ? "opened" : "couldn't open"} recording ${recorded.reading.sequence} of ${recorded.reading.device}.`;
      throw new ReplayError("ITC_REPLAY_ACCESS", what, "This is a defect of the toolkit: report it.");
    }
    if (did) opened += 1;
    else closed += 1;
  }
  return `${step.by} opened ${opened}, ${closed} stayed closed`;
}

interface Shot {
  readonly time: bigint;
  readonly size: number;
  readonly sealed: boolean;
}

async function recordOne(
  world: World,
  member: Member,
  gateway: Gateway,
  { time, size, sealed }: Shot,
): Promise<Recorded> {
  const { device } = member;
  const label = `${device.key.id}:${device.nextSequence}`;
  const bytes = () => noise(fromHex(secretOf(world.scenario.seed, `recording:${label}`)), size);
  const salt = device.nextSalt;
  const origin = { member, gateway, bytes };
  if (!sealed) {
    const file = await hashFile(bytes(), { size: BigInt(size) });
    const content = fileContent(file.id, salt);
    return { ...origin, reading: device.say(world.digests, FILE_SCHEMA, time, contentHash(content)), content, file };
  }
  const recipients = await world.grants.book.recipients(device.key.id, time);
  const plaintext = Buffer.concat([...bytes()]);
  const { jwe, content } = await seal(plaintext, recipients, {
    random: draws(world, label),
    contentType: "application/octet-stream",
  });
  const readers = [...readersOf(world, member)].filter(([, until]) => time < until).map(([name]) => name);
  const reading = device.say(world.digests, SEALED_SCHEMA, time, contentHash(content));
  return { ...origin, reading, content, sealed: { jwe: readSealed(writeSealed(jwe)), readers } };
}

/** What a third party checks of the bytes: all of them, and one segment with nothing of the rest. */
async function payloadFindings({ file, bytes }: Recorded): Promise<Finding[]> {
  if (!file) return [];
  const chunks = chunkCount(file.id);
  const segment = file.proveSegment(Math.floor(chunks / 2), Math.floor(chunks / 2) + 1);
  const { from, to } = byteRange(file.id, segment);
  const part = Buffer.concat([...bytes()]).subarray(Number(from), Number(to));
  const whole = await verifyFile(file.id, bytes());
  const alone = await verifySegment(file.id, segment, [part]);
  return [
    finding("file", whole.holds, whole.findings.map(({ detail }) => detail).join("; ")),
    finding("segment", alone.holds, alone.findings.map(({ detail }) => detail).join("; ")),
  ];
}

/** Whether a key opens a recording, and what comes out is what was recorded. */
async function opens({ sealed, content, bytes }: Recorded, key: EcPrivateJwk): Promise<boolean> {
  if (!sealed || content.kind !== "sealed") return false;
  try {
    const opened = await openSealed(sealed.jwe, key, content);
    return isPlaintext(content, opened) && sameBytes(opened.plaintext, Buffer.concat([...bytes()]));
  } catch (error) {
    if (error instanceof SealError && error.code === "ITC_SEAL_NO_ACCESS") return false;
    throw error;
  }
}

/** Signs as the camera's owner, and hands it to whoever seals, as text. */
async function deliver(
  world: World,
  { owner }: Member,
  message: { kind: "grant"; says: object; key: EcPublicJwk } | { kind: "revocation"; says: object },
): Promise<void> {
  const domain = { chainId: world.chain.id, registry: world.addresses.DeviceRegistry };
  const unsigned = message as Omit<OwnerMessage, "signature">;
  const signature = fromHex(await owner.wallet.signTypedData(...grantTypedData(domain, unsigned)));
  await world.grants.book.accept(readOwnerMessage(writeOwnerMessage({ ...unsigned, signature } as OwnerMessage)));
}

function nextNumber(world: World, { device }: Member): bigint {
  const { numbers } = world.grants;
  const number = numbers.get(device.key.id) ?? 0n;
  numbers.set(device.key.id, number + 1n);
  return number;
}

function readersOf(world: World, { device }: Member): Map<string, bigint> {
  const { until } = world.grants;
  const readers = until.get(device.key.id) ?? new Map<string, bigint>();
  until.set(device.key.id, readers);
  return readers;
}

function privateKeyOf(world: World, actor: string): EcPrivateJwk {
  return jwkOfSecret(fromHex(secretOf(world.scenario.seed, `reads:${actor}`)));
}

function publicKeyOf(world: World, actor: string): EcPublicJwk {
  const { d: _secret, ...key } = privateKeyOf(world, actor);
  return key;
}

/** Bytes that the seed fixes, for a replay that comes out the same again. A camera takes its own generator's. */
function draws(world: World, label: string): (length: number) => Uint8Array {
  const secret = fromHex(secretOf(world.scenario.seed, `draws:${label}`));
  let drawn = 0;
  return (length) => {
    const pieces = Array.from({ length: Math.ceil(length / 32) }, () => keccak256(secret, uintBytes(drawn++, 8)));
    return new Uint8Array(Buffer.concat(pieces)).slice(0, length);
  };
}

/** A recording that nobody took: noise of AES-256 in counter mode, which hashes like compressed video and never repeats. */
function* noise(key: Uint8Array, size: number): Generator<Uint8Array> {
  const cipher = createCipheriv("aes-256-ctr", key, new Uint8Array(16));
  for (let left = size; left > 0; left -= PIECE) yield cipher.update(new Uint8Array(Math.min(PIECE, left)));
}
