import { ClaimDesk__factory, DeviceRegistry__factory, ITC__factory } from "../toolkit/contracts.js";
import { type Claim, type ClaimEntry, ClaimTree, claimCode, claimKey, signClaim } from "../toolkit/identity/claims.js";
import { Digests } from "../toolkit/identity/digests.js";
import { type DeviceId, deviceKey, signerOf } from "../toolkit/identity/keys.js";
import { LotTree } from "../toolkit/identity/lots.js";
import { fromHex, toHex } from "../toolkit/internal/bytes.js";
import { secretOf } from "../toolkit/testing/fixture.js";
import type { Bench, Measured } from "./rig.js";

const MILLION = 1_000_000;
const BOND = 10n ** 18n;
const NEVER = 4_000_000_000n;

/** Claims a device with the code from its box, one of a million that were offered; it is the buyer's first. */
export async function measureClaims(bench: Bench): Promise<Measured[]> {
  const { operator, addresses, chain } = bench;
  const maker = await bench.account("maker of boxes");
  const buyer = await bench.account("buyer of a box");
  const devices = await activeDevices(bench, maker);
  const [device] = devices;
  if (!device) throw new Error("There is no device to claim.");
  const code = claimCode(fromHex(secretOf(1, "code")).subarray(0, 16));
  const tree = treeOfMillion({ device, key: claimKey(device, code).id });
  const desk = addresses.ClaimDesk;
  const approval = [desk, true];
  await bench.send(maker, addresses.DeviceRegistry, DeviceRegistry__factory.abi, "setApprovalForAll", approval);
  await bench.send(maker, desk, ClaimDesk__factory.abi, "offer", [tree.root, NEVER]);
  await chain.wait(1n);
  const said: Claim = { device, from: maker.address, to: buyer.address, root: tree.root, deadline: NEVER };
  const signature = toHex(signClaim(code, { chainId: chain.id, desk }, said));
  const { path, siblings } = tree.prove(device);
  if (siblings.length !== 20) throw new Error("The proof isn't of depth 20.");
  const args = [device, said.from, said.to, said.root, NEVER, signature, path, siblings];
  const gas = await bench.send(operator, desk, ClaimDesk__factory.abi, "claim", args);
  const peer = { name: "DIMO, as published", gas: 168_000, measured: false };
  return [{ id: "identity.claimWithCode", gas, peer }];
}

/** Two active devices of a maker, so that it keeps one. */
async function activeDevices(bench: Bench, maker: Awaited<ReturnType<Bench["account"]>>): Promise<DeviceId[]> {
  const { operator, addresses, chain } = bench;
  const { abi } = DeviceRegistry__factory;
  const registry = addresses.DeviceRegistry;
  const keys = ["boxed", "kept"].map((label) => deviceKey("secp256k1", fromHex(secretOf(1, label))));
  await bench.send(operator, addresses.ITC, ITC__factory.abi, "transfer", [maker.address, 10n * BOND]);
  await bench.send(maker, addresses.ITC, ITC__factory.abi, "approve", [registry, 10n * BOND]);
  await bench.send(operator, registry, abi, "registerIssuer", [maker.address, "Maker of boxes"]);
  const lot = new LotTree(keys);
  const id = lot.idFor(maker.address);
  await bench.send(maker, registry, abi, "enrolLot", [lot.root, keys.length, 2, BOND]);
  const digests = new Digests({ chainId: chain.id, registry });
  for (const key of keys) {
    const owner = maker.address;
    const signature = key.sign(digests.activation({ device: key.id, lot: id, owner, deadline: NEVER }));
    const { path, siblings } = lot.prove(key.id);
    const signer = signerOf(key, addresses);
    await bench.send(operator, registry, abi, "activate", [id, signer, owner, signature, NEVER, path, siblings]);
  }
  return keys.map((key) => key.id);
}

/** The entry and others up to a million, whose codes nobody has. */
function treeOfMillion(entry: ClaimEntry): ClaimTree {
  const others = Array.from({ length: MILLION - 1 }, (_, k): ClaimEntry => {
    const id = `0x${(k + 1).toString(16).padStart(40, "0")}`;
    return { device: id as DeviceId, key: id };
  });
  return new ClaimTree([entry, ...others]);
}
