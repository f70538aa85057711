import { IotchainError } from "../errors.js";

/** Evidence that isn't evidence, a payload that can't be read, or a node that fails or lies. */
export class EvidenceError extends IotchainError {}
