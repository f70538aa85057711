import { network } from "hardhat";
import * as snarkjs from "snarkjs";
import type { CommittedValues } from "../../toolkit/anchoring/zk-values.js";
import { commitValues, valuesSaltOf } from "../../toolkit/anchoring/zk-values.js";
import { Groth16Verifier__factory } from "../../toolkit/contracts.js";
import { deviceKey } from "../../toolkit/identity/keys.js";
import { fromHex } from "../../toolkit/internal/bytes.js";
import { secretOf } from "../../toolkit/testing/fixture.js";

/** Order of the field that circuits compute in. */
export const ORDER = 21888242871839275222246405745257275088548364400416034343698204186575808495617n;
/** Modulus of the coordinates of its curve's points. */
export const MODULUS = 21888242871839275222246405745257275088696311157297823662689037894645226208583n;

export const device = deviceKey("secp256k1", fromHex(secretOf(7, "device"))).id;
export const stranger = deviceKey("secp256k1", fromHex(secretOf(7, "stranger"))).id;
export const request = fromHex(secretOf(7, "request"));
export const otherRequest = fromHex(secretOf(7, "other request"));

/** So many values of a device from -3.00 on, as if there were two decimals. */
export function committed(count: number, firstSequence = 4096n): CommittedValues {
  const values = Array.from({ length: count }, (_, k) => BigInt(((k * 137) % 1001) - 300));
  return { device, firstSequence, values, salt: valuesSaltOf(fromHex(secretOf(7, "salt")), firstSequence) };
}

/** The batch as the verifier takes it. */
export function batchOf(of: CommittedValues) {
  const { device: by, firstSequence, values } = of;
  return {
    values: BigInt(`0x${Buffer.from(commitValues(of)).toString("hex")}`),
    device: by,
    firstSequence,
    count: values.length,
  };
}

/** A commitment as bytes32, whatever the number is. */
export const bytes32 = (value: bigint): string => `0x${value.toString(16).padStart(64, "0")}`;

/** A chain with the verifier on it. */
export async function verifierOn(chainId = 31337) {
  const { ethers } = await network.create({ network: "default", chainType: "l1", override: { chainId } });
  const [operator] = await ethers.getSigners();
  if (!operator) throw new Error("The chain has no signer.");
  return { ethers, operator, factory: new Groth16Verifier__factory(operator) };
}

/** snarkjs's workers would keep the process alive. */
export async function stopWorkers(): Promise<void> {
  const { curves } = snarkjs as unknown as {
    readonly curves: { getCurveFromName(name: string): Promise<{ terminate(): Promise<void> }> };
  };
  await (await curves.getCurveFromName("bn128")).terminate();
}
