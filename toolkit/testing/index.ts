/**
 * iotchain/testing: virtual devices, scenarios and replays on any EIP-1193 provider. Hardhat is needed for the embedded chain only.
 *
 * @packageDocumentation
 */
export { type DeployOptions, type DeployTarget, deployAll } from "../../deploy/index.js";
export * from "./chain.js";
export * from "./devices.js";
export * from "./embedded.js";
export * from "./fixture.js";
export type { Invariant, InvariantRecord } from "./invariants.js";
export * from "./progress.js";
export * from "./replay.js";
export * from "./report.js";
export * from "./scenario.js";
export * from "./scenario-schema.js";
export * from "./sources.js";
export * from "./summary.js";
