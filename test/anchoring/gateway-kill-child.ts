// A gateway as a process, to be killed: reads its options and then readings from stdin, a line each, and writes a line for each receipt.
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Gateway } from "../../toolkit/anchoring/gateway.js";
import { deviceIdOf, deviceKey } from "../../toolkit/identity/keys.js";
import { fromHex, toHex } from "../../toolkit/internal/bytes.js";

/** What the parent says first. */
export interface ChildOptions {
  readonly file: string;
  readonly url: string;
  readonly secret: string;
  readonly chainId: string;
  readonly registry: string;
  readonly anchor: string;
  /** 64 bytes each. */
  readonly devices: readonly string[];
}

/** A node behind HTTP (JSON-RPC 2.0). */
function nodeAt(url: string) {
  return {
    request: async ({ method, params = [] }: { method: string; params?: unknown }): Promise<unknown> => {
      const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
      const answer = await fetch(url, { method: "POST", body });
      const { result, error } = (await answer.json()) as { result: unknown; error?: { message: string } };
      if (error) throw Object.assign(new Error(error.message), error);
      return result;
    },
  };
}

async function open(options: ChildOptions): Promise<Gateway> {
  const { file, url, secret, chainId, registry, anchor, devices } = options;
  const gateway = await Gateway.open({
    file,
    publisher: deviceKey("secp256k1", fromHex(secret)),
    node: nodeAt(url),
    chainId: BigInt(chainId),
    registry,
    anchor,
    fees: { ceiling: 1_000_000_000_000n },
    batch: { readings: 3, seconds: 0n },
    intake: { ahead: 1n << 40n, behind: 1n << 40n },
    confirmations: 1n,
    poll: 2,
  });
  for (const material of devices) {
    const key = { kind: "secp256k1" as const, material: fromHex(material), id: deviceIdOf(fromHex(material)) };
    gateway.admit(key);
  }
  return gateway;
}

async function main(): Promise<void> {
  let gateway: Gateway | undefined;
  for await (const line of createInterface({ input: process.stdin })) {
    if (gateway) {
      const { reading, received } = gateway.receiveJson(line);
      process.stdout.write(`${toHex(reading)} ${received}\n`);
      continue;
    }
    gateway = await open(JSON.parse(line));
    process.stdout.write("open\n");
    gateway.run().catch((error: unknown) => {
      console.error(error);
      process.exit(1);
    });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
