import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect } from "chai";
import { Gateway } from "../../toolkit/anchoring/gateway.js";
import { GatewayError } from "../../toolkit/anchoring/gateway-errors.js";
import type { GatewayOptions } from "../../toolkit/anchoring/gateway-options.js";
import { contentOf, type SignedReading, saltOf, schemaIdOf, signReading } from "../../toolkit/anchoring/readings.js";
import { type DeviceKey, deviceKey } from "../../toolkit/identity/keys.js";
import { fromHex } from "../../toolkit/internal/bytes.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { keyOf } from "../identity/fleet.js";
import { type Deployed, deployed } from "../support.js";

export const wind = schemaIdOf({ quantity: "wind_speed", unit: "m/s", scale: 2 });
export const rain = schemaIdOf({ quantity: "rain", unit: "mm", scale: 1 });
export const GWEI = 1_000_000_000n;

interface Asked {
  readonly method: string;
  readonly params?: unknown;
}

/** A node that can be made to fail and to lie, in front of a real one. */
export class Node {
  /** Is asked before each request; may throw, or answer itself. */
  before: (asked: Asked) => unknown = () => undefined;
  /** Is asked after each request, which has taken effect; may throw, or answer something else. */
  after: (asked: Asked, answer: unknown) => unknown = (_, answer) => answer;
  readonly asked: string[] = [];

  constructor(private readonly provider: Deployed["provider"]) {}

  async request(asked: Asked): Promise<unknown> {
    this.asked.push(asked.method);
    const instead = await this.before(asked);
    if (instead !== undefined) return instead;
    return await this.after(
      asked,
      await this.provider.request(asked as Parameters<Deployed["provider"]["request"]>[0]),
    );
  }

  heal(): void {
    this.before = () => undefined;
    this.after = (_, answer) => answer;
  }
}

/** A chain of its own on which nothing is mined until it is said, with a node, a folder and a clock. */
export class Rig {
  /** The gateways' clock, Unix seconds; the chain has its own. */
  now = 0n;
  private readonly opened: Gateway[] = [];
  private count = 0;

  private constructor(
    readonly world: Deployed,
    readonly node: Node,
    readonly folder: string,
  ) {}

  static async start(): Promise<Rig> {
    const world = await deployed();
    const rig = new Rig(world, new Node(world.provider), mkdtempSync(path.join(tmpdir(), "gateway-")));
    rig.now = BigInt(await world.networkHelpers.time.latest());
    await rig.ask("evm_setAutomine", [false]);
    return rig;
  }

  async end(): Promise<void> {
    await this.closeAll();
    rmSync(this.folder, { recursive: true });
  }

  async closeAll(): Promise<void> {
    for (const gateway of this.opened.splice(0)) await gateway.close().catch(() => {});
  }

  /** A publisher with ether and an empty log, another one each time. */
  async publisher(): Promise<DeviceKey> {
    const key = deviceKey("secp256k1", fromHex(secretOf(9, `publisher-${this.count++}`)));
    await this.ask("hardhat_setBalance", [key.id, `0x${(10n ** 18n).toString(16)}`]);
    return key;
  }

  file(): string {
    return path.join(this.folder, `${this.count++}.db`);
  }

  async open(options: Partial<GatewayOptions> = {}): Promise<Gateway> {
    const { addresses, chainId } = this.world;
    const gateway = await Gateway.open({
      file: ":memory:",
      publisher: options.publisher ?? (await this.publisher()),
      node: this.node,
      chainId,
      registry: addresses.DeviceRegistry,
      anchor: addresses.DataAnchor,
      fees: { ceiling: 100n * GWEI },
      confirmations: 2n,
      now: () => this.now,
      poll: 1,
      ...options,
    });
    this.opened.push(gateway);
    return gateway;
  }

  reading(label: string, sequence: bigint, changes: Partial<SignedReading> = {}): SignedReading {
    const { device, signature, ...said } = changes;
    const key = keyOf(label);
    const content = contentOf({ value: sequence, salt: saltOf(fromHex("01"), sequence) });
    const whole = { sequence, time: this.now, schema: wind, content, ...said };
    const reading = signReading({ ...key, id: device ?? key.id }, this.world.digests, whole);
    return signature ? { ...reading, signature } : reading;
  }

  /** Blocks with whatever is pending. */
  async mine(blocks = 1): Promise<void> {
    for (let k = 0; k < blocks; k++) await this.ask("evm_mine", []);
  }

  /** Steps and blocks until everything is final. */
  async settle(gateway: Gateway, most = 40): Promise<void> {
    gateway.seal();
    for (let k = 0; k < most; k++) {
      await gateway.tick();
      const { sealed, final } = gateway.status().batches;
      if (sealed === final) return;
      await this.mine();
    }
    throw new Error(`Not final after ${most} blocks: ${JSON.stringify(gateway.status(), (_, value) => String(value))}`);
  }

  /** Does something whose transactions are mined at once. */
  async mined(work: () => Promise<unknown>): Promise<void> {
    await this.ask("evm_setAutomine", [true]);
    await work();
    await this.ask("evm_setAutomine", [false]);
  }

  async sizeOf(publisher: DeviceKey): Promise<bigint> {
    const [size] = await this.world.anchor.headOf(publisher.id);
    return size;
  }

  // biome-ignore lint/suspicious/noExplicitAny: EIP-1193 answers are untyped by nature.
  ask(method: string, params: unknown[]): Promise<any> {
    return this.world.provider.request({ method, params });
  }
}

/**
 * Gives the tests of a block one chain, and each of them something of its own on it.
 *
 * @param end What follows each test; by default its gateways are closed, and the node is honest again.
 */
export function onRig(start: (rig: Rig) => void, each: () => Promise<void>, end?: () => Promise<void>): void {
  let rig: Rig;
  const close = async (): Promise<void> => {
    rig.node.heal();
    await rig.closeAll();
  };
  before(async () => {
    rig = await Rig.start();
    start(rig);
  });
  after(() => rig.end());
  beforeEach(each);
  afterEach(end ?? close);
}

/** Expects a gateway's error with this code. */
export async function refused(work: () => unknown, code: string, words = ""): Promise<void> {
  let caught: unknown;
  try {
    await work();
  } catch (error) {
    caught = error;
  }
  expect(caught, `expected ${code}`).to.be.instanceOf(GatewayError);
  expect((caught as GatewayError).message).to.contain(words);
  expect((caught as GatewayError).code, (caught as GatewayError).message).to.equal(code);
}
