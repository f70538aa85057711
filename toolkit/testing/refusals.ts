import { RevertedError } from "../reverts.js";
import { ReplayError } from "./world.js";

/** What a step says of itself. */
interface RefusedStep {
  readonly do: string;
  readonly name?: string | undefined;
  /** The error with which a contract has to refuse. */
  readonly refused?: string | undefined;
}

/**
 * Sends, unless the scenario says that it is refused: then it has to be, and the answer is the arguments of the error.
 * Errors: ITC_REPLAY_REFUSAL for another failure, ITC_REPLAY_ACCEPTED if it goes through.
 */
export async function attempt(
  { do: verb, name, refused }: RefusedStep,
  send: () => Promise<unknown>,
): Promise<readonly unknown[] | undefined> {
  if (refused === undefined) {
    await send();
    return undefined;
  }
  try {
    await send();
  } catch (error) {
    if (error instanceof RevertedError && error.error?.name === refused) return error.error.args;
    const found = error instanceof Error ? error.message : String(error);
    const what = `The scenario says ${refused}. ${found}`;
    throw new ReplayError("ITC_REPLAY_REFUSAL", what, "Name the error with which it is refused.", { cause: error });
  }
  const what = `Step ${name ?? verb} went through, and the scenario says ${refused}.`;
  throw new ReplayError("ITC_REPLAY_ACCEPTED", what, "Take `refused` away, or look for the defect.");
}
