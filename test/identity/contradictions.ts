import type { Reading } from "../../toolkit/identity/digests.js";
import { fromHex } from "../../toolkit/internal/bytes.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { FAR } from "./fleet.js";
import { activateKey, curveKey, enrolRing, type keyedFleet, type RingKey } from "./keyring.js";

/** What a reading says beside whose it is. */
export interface Words {
  readonly sequence: bigint;
  readonly time: bigint;
  readonly schema: string;
  readonly content: string;
}

/** Two readings of one number: it was warm, and a minute later it had been cold. */
export const warm: Words = {
  sequence: 7n,
  time: 1_700_000_000n,
  schema: secretOf(1, "degrees"),
  content: secretOf(1, "warm"),
};
export const cold: Words = { ...warm, time: 1_700_000_060n, content: secretOf(1, "cold") };

/** For a suite: devices that contradict themselves. */
export function contradictions(fleet: ReturnType<typeof keyedFleet>) {
  const { world, registry, maker, owner, keyChange } = fleet;

  const readingOf = (device: string, words: Words): Reading => ({
    ...words,
    device: device as Reading["device"],
    schema: fromHex(words.schema),
    content: fromHex(words.content),
  });
  const signed = (key: RingKey, words: Words, device: string = key.id): Uint8Array =>
    key.sign(world().digests.reading(readingOf(device, words)));

  /** Sends two readings of one device; signatures are the key's unless others are given. */
  function prove(
    key: RingKey,
    [first, second]: readonly [Words, Words] = [warm, cold],
    signatures = [signed(key, first), signed(key, second)],
    device: string = key.id,
  ) {
    const [one = new Uint8Array(0), two = new Uint8Array(0)] = signatures;
    return registry().proveEquivocation(
      device,
      key.signer,
      first.sequence,
      [first.time, second.time],
      [first.schema, second.schema],
      [first.content, second.content],
      [one, two],
    );
  }

  /** A device of its own lot with this bond. */
  async function bonded(label: string, bond: bigint, kind: "secp256k1" | "p256" = "secp256k1"): Promise<RingKey> {
    const key = curveKey(world(), label, kind);
    const small = await enrolRing(world(), maker(), [key, curveKey(world(), `beside ${label}`, kind)], bond);
    await activateKey(world(), small, key, owner().address);
    return key;
  }

  async function recover(key: RingKey, next: RingKey): Promise<void> {
    await registry(owner()).requestRecovery(key.id, next.signer, FAR, next.sign(await keyChange(key.id, next)));
    const readyAt = (await fleet.now()) + (await registry().recoveryDelay());
    await world().networkHelpers.time.increaseTo(readyAt);
    await registry().completeRecovery(key.id, "0x", next.signer, readyAt);
  }

  const bondOf = async (key: RingKey) => (await registry().standingOf(key.id)).bond;
  const held = () => world().itc.balanceOf(world().addresses.DeviceRegistry);

  return { readingOf, signed, prove, bonded, recover, bondOf, held };
}
