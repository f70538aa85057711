import type { Provider, Signer } from "ethers";
import { decodeRevert, RevertedError, revertDataOf } from "../reverts.js";

/** A call of a contract that is to be sent. */
export interface PlannedCall {
  /** The function's name. */
  readonly name: string;
  readonly to: string;
  readonly data: string;
}

/** Most bytes of calldata of a transaction, where nothing else is said: public mempools take 128 KiB with all around it. */
export const MOST_CALLDATA = 100_000;

/** Bytes of a call's data. */
export function calldataOf({ data }: Pick<PlannedCall, "data">): number {
  return data.length / 2 - 1;
}

/** What became of a call. */
export type Outcome =
  | { readonly kind: "sent"; readonly hash: string }
  /** The contract wouldn't take it, or didn't, as when somebody else was faster; `why` names its error. */
  | { readonly kind: "refused"; readonly why: string; readonly error: string | undefined }
  /** There is no key to send it with; a simulation went well. */
  | { readonly kind: "reported" };

/** Sends calls, each simulated first, so that one that reverts costs nothing; one by one. */
export class Sender {
  /** @param signer Without it nothing is sent. */
  constructor(
    private readonly provider: Provider,
    private readonly signer?: Signer,
  ) {}

  /** Whose calls these are. */
  async address(): Promise<string | undefined> {
    return this.signer?.getAddress();
  }

  /**
   * @param simulate False for a call that can't be simulated without a sender, where there is none.
   * Errors: those of the provider, but for reverts.
   */
  async send({ name, to, data }: PlannedCall, simulate = true): Promise<Outcome> {
    const from = await this.address();
    try {
      if (from !== undefined || simulate) await this.provider.call({ to, data, ...(from !== undefined && { from }) });
      if (!this.signer) return { kind: "reported" };
      const response = await this.signer.sendTransaction({ to, data });
      const receipt = await response.wait();
      return { kind: "sent", hash: receipt?.hash ?? response.hash };
    } catch (cause) {
      const refusal = refusalOf(name, cause);
      if (!refusal) throw cause;
      return { kind: "refused", why: refusal.message, error: refusal.error?.name };
    }
  }
}

function refusalOf(name: string, cause: unknown): RevertedError | undefined {
  const data = revertDataOf(cause);
  if (data !== undefined) return new RevertedError(name, decodeRevert(data), { cause });
  const code = typeof cause === "object" && cause !== null ? Reflect.get(cause, "code") : undefined;
  return code === "CALL_EXCEPTION" ? new RevertedError(name, undefined, { cause }) : undefined;
}
