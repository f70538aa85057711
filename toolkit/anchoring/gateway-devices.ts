import { type ContractRunner, isError } from "ethers";
import { DeviceRegistry__factory } from "../contracts.js";
import { spokeFor } from "../identity/key-history.js";
import type { PublicKey } from "../identity/keys.js";
import { ACTIVE, stateName } from "../identity/states.js";
import { GatewayError, messageOf } from "./gateway-errors.js";

/** A second that no chain has reached: as things are now, whatever our clock says. */
const FOR_GOOD = 1n << 40n;

/** Why a device's readings are turned away though it was admitted. */
export type Standing = "ITC_GATEWAY_FOREIGN" | "ITC_GATEWAY_INACTIVE" | "ITC_GATEWAY_ROTATED";

/** What to say of a device that doesn't stand well. */
export function standingError(code: Standing, device: string, state?: string): GatewayError {
  switch (code) {
    case "ITC_GATEWAY_FOREIGN":
      return new GatewayError(code, `Device ${device} was never activated in this registry.`, "Activate it first.");
    case "ITC_GATEWAY_INACTIVE":
      return new GatewayError(
        code,
        `Device ${device} is ${state ?? "not active"}.`,
        "Admit it again once it is active.",
      );
    case "ITC_GATEWAY_ROTATED":
      return new GatewayError(
        code,
        `Device ${device} has another key by now.`,
        "Admit it with its present key (heldBy).",
      );
  }
}

/**
 * Asks the registry whether a device is active and a key its present one.
 *
 * @returns The error that its readings deserve, if any.
 * Errors: ITC_GATEWAY_NODE when the node doesn't say.
 */
export async function standingOf(
  registry: string,
  runner: ContractRunner,
  key: PublicKey,
): Promise<GatewayError | undefined> {
  try {
    const { state } = await DeviceRegistry__factory.connect(registry, runner).deviceOf(key.id);
    if (state === 0n) return standingError("ITC_GATEWAY_FOREIGN", key.id);
    if (state !== ACTIVE) return standingError("ITC_GATEWAY_INACTIVE", key.id, stateName(state));
    const speaks = await spokeFor(registry, runner, key.id, key, FOR_GOOD);
    return speaks ? undefined : standingError("ITC_GATEWAY_ROTATED", key.id);
  } catch (cause) {
    const what = isError(cause, "BAD_DATA") ? "there is no registry" : messageOf(cause);
    const next = "The gateway tries again; check node and address if it goes on.";
    throw new GatewayError("ITC_GATEWAY_NODE", `The node doesn't tell how ${key.id} stands: ${what}.`, next, { cause });
  }
}
