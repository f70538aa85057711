import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { IotchainError } from "../../toolkit/errors.js";
import type { Market } from "../analytics/market.js";

const run = promisify(execFile);

/** The first account of every development chain, whose key is public. */
const KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

/** Runs the command in a process of its own. */
export async function itc(...args: string[]): Promise<{ code: number; out: string; errors: string }> {
  try {
    const { stdout, stderr } = await run(process.execPath, ["--import", "tsx", "toolkit/cli/main.ts", ...args]);
    return { code: 0, out: stdout, errors: stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, out: stdout, errors: stderr };
  }
}

/** Calls what the command calls, and returns what it prints or the code of its error. */
export async function printed(command: Promise<void>): Promise<string> {
  const { log } = console;
  const { exitCode } = process;
  const lines: string[] = [];
  console.log = (line: string) => void lines.push(line);
  try {
    await command;
    return `${lines.join("\n")}\nexit ${process.exitCode ?? 0}`;
  } catch (error) {
    if (error instanceof IotchainError) return error.code;
    throw error;
  } finally {
    console.log = log;
    process.exitCode = exitCode;
  }
}

/** A market's chain behind an RPC address, with a folder that has its addresses, a key in `key`, and an empty folder `data`. */
export async function serveMarket(market: Market) {
  const server = createServer(async (request, response) => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const { id, method, params } = JSON.parse(Buffer.concat(pieces).toString());
    const answer = await market.provider.request({ method, params }).then(
      (result) => ({ result }),
      // A node gives the revert's data, which a provider has in its error.
      (error: { data?: unknown }) => ({ error: { code: 3, message: String(error), data: error.data } }),
    );
    response.setHeader("content-type", "application/json").end(JSON.stringify({ jsonrpc: "2.0", id, ...answer }));
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  const folder = await mkdtemp(join(tmpdir(), "itc-command-"));
  const path = (name: string): string => join(folder, name);
  await mkdir(path("data"));
  await mkdir(path("deployments/31337"), { recursive: true });
  await writeFile(path("deployments/31337/addresses.json"), JSON.stringify(market.addresses));
  await writeFile(path("key"), `${KEY}\n`);
  return {
    rpc: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    folder,
    path,
    close: async () => {
      await rm(folder, { recursive: true });
      await new Promise((closed) => server.close(closed));
    },
  };
}

export type ServedMarket = Awaited<ReturnType<typeof serveMarket>>;
