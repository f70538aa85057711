import type { Gateway } from "../../toolkit/anchoring/gateway.js";
import type { GatewayEvents } from "../../toolkit/anchoring/gateway-events.js";
import type { GatewayOptions } from "../../toolkit/anchoring/gateway-options.js";
import type { DeviceKey } from "../../toolkit/identity/keys.js";
import { keyOf } from "../identity/fleet.js";
import type { Rig } from "./gateway-rig.js";

/** A gateway with one device `a`, and what it has told. */
export class Stage {
  gateway!: Gateway;
  told: [keyof GatewayEvents, ...unknown[]][] = [];
  /** Of the device's next reading. */
  sequence = 0n;

  private constructor(
    private readonly rig: Rig,
    readonly publisher: DeviceKey,
  ) {}

  static async start(rig: Rig): Promise<Stage> {
    const stage = new Stage(rig, await rig.publisher());
    await stage.open();
    return stage;
  }

  /** Another gateway for the same key, with a queue of its own. */
  async open(options: Partial<GatewayOptions> = {}): Promise<void> {
    this.gateway = await this.rig.open({ publisher: this.publisher, ...options });
    this.gateway.admit(keyOf("a"));
    this.sequence = 0n;
    this.told = [];
    for (const name of ["signed", "refused", "expensive", "anchored", "reorganised", "final", "failed"] as const) {
      this.gateway.events.on(name, (...values: unknown[]) => this.told.push([name, ...values]));
    }
  }

  async end(): Promise<void> {
    this.rig.node.heal();
    await this.rig.closeAll();
    await this.rig.ask("hardhat_setNextBlockBaseFeePerGas", ["0x3b9aca00"]);
    await this.rig.mine();
  }

  /** A batch of one reading. */
  batch(): void {
    this.gateway.receive(this.rig.reading("a", this.sequence++));
    this.gateway.seal();
  }

  names(): string[] {
    return this.told.map(([name]) => name);
  }

  times(name: string): number {
    return this.names().filter((one) => one === name).length;
  }

  state(sequence: bigint): string {
    return this.gateway.readingOf(keyOf("a").id, sequence).state;
  }

  /** Transactions that wait for a block. */
  async pending(): Promise<{ hash: string; nonce: string }[]> {
    return (await this.rig.ask("eth_getBlockByNumber", ["pending", true])).transactions;
  }
}
