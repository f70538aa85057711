import { IotchainError } from "../errors.js";

/** Failures of aggregating, and of building and reading results; `code` says which. */
export class AnalyticsError extends IotchainError {}
