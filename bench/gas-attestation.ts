import { AbiCoder, id, solidityPackedKeccak256, ZeroAddress, ZeroHash } from "ethers";
import { Attestations__factory } from "../toolkit/contracts.js";
import { FleetTree, TRUST_TIERS } from "../toolkit/identity/attestation.js";
import type { DeviceId } from "../toolkit/identity/keys.js";
import type { Account } from "../toolkit/testing/chain.js";
import { secretOf } from "../toolkit/testing/fixture.js";
import { type Bench, easContract, type Measured } from "./rig.js";

const DEVICES = 100_000;
const MEASUREMENT = secretOf(1, "firmware");
const DAY = 86_400n;

/** Posts a measurement for 100,000 devices; beside it, EAS posts one for one device. Both verifiers have posted before. */
export async function measureAttestation(bench: Bench): Promise<Measured[]> {
  const verifier = await bench.account("verifier");
  const block = await bench.chain.reader.getBlock("latest");
  const expiry = BigInt(block?.timestamp ?? 0) + 30n * DAY;
  const { abi } = Attestations__factory;
  const contract = bench.addresses.Attestations;
  await bench.send(verifier, contract, abi, "addReference", [MEASUREMENT, "firmware 1.4.2"]);
  const post = (root: string) =>
    bench.send(verifier, contract, abi, "attestFleet", [root, 1, TRUST_TIERS.affirming, expiry, id(root)]);
  await post(secretOf(1, "another fleet"));
  const fleet = new FleetTree(Array.from({ length: DEVICES }, (_, k) => deviceOf(k)));
  const gas = await post(fleet.root);
  const name = "@ethereum-attestation-service/eas-contracts, one attestation";
  const peer = { name, gas: await easAttestation(bench, verifier, expiry), measured: true };
  return [{ id: "identity.attestFleet", gas, peer }];
}

/** EAS with a schema of the like content, revocable and with an expiry as ours are; its second attestation. */
async function easAttestation(bench: Bench, verifier: Account, expiry: bigint): Promise<number> {
  const schema = "bytes32 measurement,address device";
  const registry = await easContract("SchemaRegistry");
  const eas = await easContract("EAS");
  const schemas = await bench.deploy(registry.abi, registry.bytecode, []);
  const attestations = await bench.deploy(eas.abi, eas.bytecode, [schemas]);
  await bench.send(verifier, schemas, registry.abi, "register", [schema, ZeroAddress, true]);
  const uid = solidityPackedKeccak256(["string", "address", "bool"], [schema, ZeroAddress, true]);
  const attest = (recipient: string) => {
    const data = AbiCoder.defaultAbiCoder().encode(["bytes32", "address"], [MEASUREMENT, recipient]);
    const request = { recipient, expirationTime: expiry, revocable: true, refUID: ZeroHash, data, value: 0n };
    return bench.send(verifier, attestations, eas.abi, "attest", [{ schema: uid, data: request }]);
  };
  await attest(deviceOf(0));
  return attest(deviceOf(1));
}

/** An id that nobody has a key of. */
function deviceOf(k: number): DeviceId {
  return `0x${id(`device ${k}`).slice(26)}` as DeviceId;
}
