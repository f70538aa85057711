import { IotchainError } from "../errors.js";

/** What a gateway turns away or can't go on with. docs/gateway.md lists the codes, and what to do about each. */
export class GatewayError extends IotchainError {}

/** Something on the disk isn't what was written. */
export function corrupted(what: string): GatewayError {
  return new GatewayError(
    "ITC_GATEWAY_CORRUPT",
    what,
    "The disk fails: bring back a copy, see docs/gateway.md, Recovery.",
  );
}

/** What went wrong, in the words of whoever threw it. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
