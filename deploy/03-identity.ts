import {
  Attestations__factory,
  ClaimDesk__factory,
  DelegateCare__factory,
  DeviceMetadata__factory,
  DeviceMoves__factory,
  DeviceRegistry__factory,
  Erc1271Verifier__factory,
  KeyCare__factory,
  KeyVerifiers__factory,
  LotProofs__factory,
  P256Verifier__factory,
  Provenance__factory,
  RsaVerifier__factory,
} from "../toolkit/contracts.js";
import type { Deployment } from "./deployment.js";

const ROOM = "project/contracts/identity";

/** The verifiers of keys, the registry, whose address firmware pins, and what stands on it. */
export async function deployIdentity(deployment: Deployment): Promise<void> {
  const verifiers = [
    await deployment.deploy("P256Verifier", P256Verifier__factory),
    await deployment.deploy("RsaVerifier", RsaVerifier__factory),
    await deployment.deploy("Erc1271Verifier", Erc1271Verifier__factory),
  ];
  const { parameters } = deployment;
  const registry = await deployment.deploy(
    "DeviceRegistry",
    { abi: DeviceRegistry__factory.abi, bytecode: await linkedRegistry(deployment) },
    deployment.address("Authority"),
    deployment.address("ITC"),
    verifiers,
    parameters.minimumBondPerDevice,
    parameters.keyRecoveryDelay,
    parameters.bondDelay,
  );
  await deployment.deploy("ClaimDesk", ClaimDesk__factory, registry);
  await deployment.deploy("Attestations", Attestations__factory, registry);
  await deployment.deploy("Provenance", Provenance__factory, registry);
}

/** The registry's code, linked with the libraries that hold what it doesn't do often. */
async function linkedRegistry(deployment: Deployment): Promise<string> {
  const keyVerifiers = await deployment.deployLibrary("KeyVerifiers", KeyVerifiers__factory.bytecode);
  const withVerifiers = { [`${ROOM}/KeyVerifiers.sol:KeyVerifiers`]: keyVerifiers } as const;
  return DeviceRegistry__factory.linkBytecode({
    [`${ROOM}/KeyVerifiers.sol:KeyVerifiers`]: keyVerifiers,
    [`${ROOM}/DelegateCare.sol:DelegateCare`]: await deployment.deployLibrary(
      "DelegateCare",
      DelegateCare__factory.bytecode,
    ),
    [`${ROOM}/DeviceMetadata.sol:DeviceMetadata`]: await deployment.deployLibrary(
      "DeviceMetadata",
      DeviceMetadata__factory.bytecode,
    ),
    [`${ROOM}/DeviceMoves.sol:DeviceMoves`]: await deployment.deployLibrary(
      "DeviceMoves",
      DeviceMoves__factory.bytecode,
    ),
    [`${ROOM}/KeyCare.sol:KeyCare`]: await deployment.deployLibrary(
      "KeyCare",
      KeyCare__factory.linkBytecode(withVerifiers),
    ),
    [`${ROOM}/LotProofs.sol:LotProofs`]: await deployment.deployLibrary("LotProofs", LotProofs__factory.bytecode),
  });
}
