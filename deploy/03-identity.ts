import { DeviceRegistry__factory, P256Verifier__factory, Provenance__factory } from "../toolkit/contracts.js";
import type { Deployment } from "./deployment.js";

/** The P-256 verifier, the registry, whose address firmware pins, and the book of parts. */
export async function deployIdentity(deployment: Deployment): Promise<void> {
  const verifier = await deployment.deploy("P256Verifier", P256Verifier__factory);
  await deployment.deploy(
    "DeviceRegistry",
    DeviceRegistry__factory,
    deployment.address("Authority"),
    deployment.address("ITC"),
    verifier,
    deployment.parameters.minimumBondPerDevice,
  );
  await deployment.deploy("Provenance", Provenance__factory, deployment.address("DeviceRegistry"));
}
