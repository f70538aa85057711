import { IotchainError } from "../errors.js";

/** What a gateway turns away or can't go on with. docs/gateway.md lists the codes, and what to do about each. */
export class GatewayError extends IotchainError {}

/** What went wrong, in the words of whoever threw it. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
