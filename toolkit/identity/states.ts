/** The states of a device in words, numbered as `DeviceState` in Solidity. */
export const DEVICE_STATES = ["never activated", "active", "suspended", "retired", "revoked"] as const;

/** The number of the state in which a device's signatures count. */
export const ACTIVE = 1n;

/** A state's word, whatever number a contract tells. */
export function stateName(state: bigint): string {
  return DEVICE_STATES[Number(state)] ?? `in state ${state}`;
}
