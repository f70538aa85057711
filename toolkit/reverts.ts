import { type ErrorDescription, Interface, isError } from "ethers";
import * as bindings from "./contracts.js";
import { IotchainError } from "./errors.js";

/** A transaction or call that a contract refused; `error` is the contract's own, by name. */
export class RevertedError extends IotchainError {
  /** The custom error, if one of ours or of the standards that we use. */
  readonly error: ErrorDescription | undefined;

  constructor(what: string, error: ErrorDescription | undefined, options?: ErrorOptions) {
    const reason = error ? `${error.name}(${error.args.map(String).join(", ")})` : "no reason given";
    super(
      "ITC_CHAIN_REVERTED",
      `${what} was refused: ${reason}.`,
      "See the error in the contract's interface.",
      options,
    );
    this.error = error;
  }
}

const errors = new Interface(
  Object.values(bindings).flatMap((binding) => binding.abi.filter(({ type }) => type === "error")),
);

/** The custom error behind revert data. */
export function decodeRevert(data: string): ErrorDescription | undefined {
  return (data.length >= 10 && errors.parseError(data)) || undefined;
}

/** The revert data that a provider's error carries somewhere; providers differ in where. */
export function revertDataOf(error: unknown, depth = 0): string | undefined {
  if (typeof error === "string") return /^0x([0-9a-f]{2})*$/i.test(error) ? error : undefined;
  if (typeof error !== "object" || error === null || depth > 4) return undefined;
  if (isError(error, "CALL_EXCEPTION") && error.data) return error.data;
  for (const key of ["data", "error", "info", "cause"]) {
    const found = revertDataOf(Reflect.get(error, key), depth + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}
