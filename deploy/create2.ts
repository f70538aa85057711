import { getCreate2Address, id, keccak256 } from "ethers";

/**
 * The deterministic deployment proxy that most chains have at this address: calldata is salt ‖ init code. An address is then a function
 * of the code alone, so a deployment that was cut off finds what is there, and every chain gets the same addresses.
 */
export const FACTORY = "0x4e59b44847b379578588920cA78FbF26c0B4956C";

/** The one transaction that creates the proxy, signed with a key nobody has (pre-EIP-155, valid on every chain). */
export const FACTORY_TRANSACTION =
  "0xf8a58085174876e800830186a08080b853604580600e600039806000f350fe7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe0" +
  "3601600081602082378035828234f58015156039578182fd5b8082525050506014600cf31ba02222222222222222222222222222222222222222222222222222222222222222" +
  "a02222222222222222222222222222222222222222222222222222222222222222";

/** Who signed that transaction, and what it costs in wei. */
export const FACTORY_DEPLOYER = "0x3fAB184622Dc19b6109349B94811493BF2a45362";
export const FACTORY_COST = 10n ** 16n;

const SALT = id("iotchain/1");

/** Where the proxy puts this init code. */
export function addressOf(initCode: string): string {
  return getCreate2Address(FACTORY, SALT, keccak256(initCode));
}

/** The calldata with which the proxy creates it. */
export function creationData(initCode: string): string {
  return SALT + initCode.slice(2);
}
