import { DeviceRegistry__factory, ITC__factory } from "../toolkit/contracts.js";
import { Digests } from "../toolkit/identity/digests.js";
import { type DeviceId, type DeviceKey, deviceKey, type PublicKey, signerOf } from "../toolkit/identity/keys.js";
import { LotTree } from "../toolkit/identity/lots.js";
import { fromHex } from "../toolkit/internal/bytes.js";
import { secretOf } from "../toolkit/testing/fixture.js";
import type { Bench, Measured } from "./rig.js";

const MILLION = 1_000_000;
const BOND = 10n ** 18n;
const NEVER = 4_000_000_000n;

/** Enrols a lot of a million and activates one device of each kind, whose owner has others already. */
export async function measureIdentity(bench: Bench): Promise<Measured[]> {
  const { operator, addresses } = bench;
  const { abi } = DeviceRegistry__factory;
  const maker = await bench.account("maker");
  const owner = await bench.account("owner");
  const registry = addresses.DeviceRegistry;
  await bench.send(operator, addresses.ITC, ITC__factory.abi, "transfer", [maker.address, 3_000_000n * BOND]);
  await bench.send(maker, addresses.ITC, ITC__factory.abi, "approve", [registry, 2n ** 256n - 1n]);
  await bench.send(operator, registry, abi, "registerIssuer", [maker.address, "Maker"]);
  // The first lot ever also pays for the registry's first balance; a maker's next lot is what is meant.
  await bench.send(maker, registry, abi, "enrolLot", [secretOf(1, "another lot"), 10, 2, BOND]);

  const keys = [keyOf("secp256k1", 0), keyOf("secp256k1", 1), keyOf("p256", 2)] as const;
  const lot = lotOfMillion(keys);
  const enrolled = await bench.send(maker, registry, abi, "enrolLot", [lot.root, MILLION, 2, BOND]);
  const activate = (key: DeviceKey) => activation(bench, lot, lot.idFor(maker.address), key, owner.address);
  await bench.send(operator, registry, abi, "activate", activate(keys[0]));
  const secp256k1 = await bench.send(operator, registry, abi, "activate", activate(keys[1]));
  const p256 = await bench.send(operator, registry, abi, "activate", activate(keys[2]));
  return [
    {
      id: "identity.enrolLot",
      gas: enrolled,
      peer: { name: "ERS, a lot, as published", gas: 302_000, measured: false },
    },
    {
      id: "identity.activate.secp256k1",
      gas: secp256k1,
      peer: { name: "ioID v2 (no signature checked), as published", gas: 105_000, measured: false },
    },
    { id: "identity.activate.p256", gas: p256 },
  ];
}

function keyOf(kind: "secp256k1" | "p256", k: number): DeviceKey {
  return deviceKey(kind, fromHex(secretOf(1, `device ${k}`)));
}

/** A lot of a million: the given keys, and ids that nobody has a key of. */
function lotOfMillion(keys: readonly PublicKey[]): LotTree {
  const others = Array.from({ length: MILLION - keys.length }, (_, k): Pick<PublicKey, "kind" | "id"> => {
    return { kind: "secp256k1", id: `0x${(k + 1).toString(16).padStart(40, "0")}` as DeviceId };
  });
  return new LotTree([...keys, ...others]);
}

function activation(
  bench: Bench,
  lot: LotTree,
  id: ReturnType<LotTree["idFor"]>,
  key: DeviceKey,
  owner: string,
): unknown[] {
  const { chain, addresses } = bench;
  const digests = new Digests({ chainId: chain.id, registry: addresses.DeviceRegistry });
  const signature = key.sign(digests.activation({ device: key.id, lot: id, owner, deadline: NEVER }));
  const { path, siblings } = lot.prove(key.id);
  if (siblings.length !== 20) throw new Error("The proof isn't of depth 20.");
  return [id, signerOf(key, addresses), owner, signature, NEVER, path, siblings];
}
