import type { DeviceId } from "../identity/keys.js";
import type { GatewayError } from "./gateway-errors.js";

/** What a gateway tells whoever listens; `index` is a batch's place in the log. Fees are wei a unit of gas. */
export interface GatewayEvents {
  /** A batch has its place from now on; nothing else will ever be sent for it. */
  sealed: [{ readonly index: bigint; readonly readings: bigint }];
  /** A transaction was signed for it, not the first one if the fee was too low or another transaction took the nonce. */
  signed: [{ readonly index: bigint; readonly nonce: bigint; readonly maxFee: bigint; readonly tip: bigint }];
  /** The node doesn't take its transaction. It is offered again with the next block. */
  refused: [{ readonly index: bigint; readonly why: string }];
  /** Gas costs more than the ceiling; nothing is paid until it costs less. */
  expensive: [{ readonly baseFee: bigint; readonly ceiling: bigint }];
  anchored: [{ readonly index: bigint; readonly time: bigint; readonly block: bigint }];
  /** The chain has forgotten it; it is sent again. */
  reorganised: [{ readonly index: bigint }];
  /** It is as deep as was asked for; evidence can be had. */
  final: [{ readonly index: bigint }];
  /** A batch stands in its device's own log for good: partials of it can be proved. */
  committed: [{ readonly device: DeviceId; readonly index: bigint }];
  /** Another entry stands where a device's batch was to be; its readings are offered again. */
  overtaken: [{ readonly device: DeviceId; readonly index: bigint }];
  /** The chain or the node doesn't take a device's batch for now. It is tried again. */
  unrelayed: [{ readonly device: DeviceId; readonly index: bigint; readonly why: string }];
  /** A device's readings are turned away from now on, with the error of this code. */
  stopped: [{ readonly device: DeviceId; readonly code: string }];
  /** A step failed. `run` goes on, unless the gateway has halted. */
  failed: [GatewayError];
}
