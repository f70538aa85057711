import { mkdir, open, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Eip1193Provider, JsonRpcProvider } from "ethers";
import { deployAll } from "../../deploy/index.js";
import { readAddresses } from "../addresses.js";
import { EvidenceError, MAX_BUNDLE_BYTES } from "../anchoring/evidence.js";
import { verifyEvidence } from "../anchoring/verify.js";
import { IotchainError } from "../errors.js";
import { type Account, accountOf, Chain } from "../testing/chain.js";
import { startEmbedded } from "../testing/embedded.js";
import { deployTarget } from "../testing/fixture.js";
import { Progress } from "../testing/progress.js";
import { replay } from "../testing/replay.js";
import { writeReport } from "../testing/report.js";
import { loadScenario } from "../testing/scenario.js";
import { summarise } from "../testing/summary.js";

/** A command that was called wrongly. */
export class UsageError extends IotchainError {}

/** `itc replay`: exit code 1 when the run failed. */
export async function replayFile(file: string, options: { out?: string; rpc?: string; seed?: number }): Promise<void> {
  const loaded = await loadScenario(file);
  const scenario = options.seed === undefined ? loaded : { ...loaded, seed: options.seed };
  const operator = options.rpc === undefined ? undefined : operatorFromEnvironment();
  const chain = options.rpc === undefined ? await startEmbedded({ start: scenario.clock.start }) : remote(options.rpc);
  try {
    const folder = options.out ?? join("reports", scenario.name);
    const evidence = join(folder, "evidence");
    await rm(evidence, { recursive: true, force: true });
    await mkdir(evidence, { recursive: true });
    const report = await replay(scenario, chain.provider, {
      file,
      keepEvidence: (name, bundle) => writeFile(join(evidence, name), bundle),
      listener: new Progress(),
      chainName: options.rpc === undefined ? "embedded EVM" : "node",
      ...(operator && { operator }),
    });
    await writeReport(report, folder);
    console.log(summarise(report, folder));
    if (report.verdict === "failed") process.exitCode = 1;
  } finally {
    await chain.close();
  }
}

/** `itc verify`: exit code 1 when something doesn't hold. */
export async function verifyFile(
  file: string,
  { rpc, deployments }: { rpc: string; deployments?: string },
): Promise<void> {
  const text = await readSmall(file);
  const provider = new JsonRpcProvider(checkedUrl(rpc));
  try {
    const { id } = await Chain.connect({ request: ({ method, params }) => provider.send(method, params ?? []) });
    const known = deployments === undefined ? undefined : await readAddresses(deployments, id);
    const trusted = known && { registry: known.DeviceRegistry, anchor: known.DataAnchor };
    const { holds, findings } = await verifyEvidence(text, provider, trusted);
    for (const { what, holds: one, detail } of findings)
      console.log(`${one ? "holds" : "FAILS"}  ${what.padEnd(10)} ${detail}`);
    console.log(holds ? "The reading is proved." : "The reading is NOT proved.");
    if (!holds) process.exitCode = 1;
  } finally {
    provider.destroy();
  }
}

/** `itc deploy`. */
export async function deploy({ rpc, out }: { rpc: string; out: string }): Promise<void> {
  const operator = operatorFromEnvironment();
  const { provider, close } = remote(rpc);
  try {
    const chain = await Chain.connect(provider);
    await deployAll(deployTarget(chain, operator), { folder: out, log: (line) => console.log(line) });
    console.log(`Addresses and ABIs are in ${join(out, chain.id.toString())}.`);
  } finally {
    await close();
  }
}

function remote(url: string): { provider: Eip1193Provider; close(): Promise<void> } {
  const client = new JsonRpcProvider(checkedUrl(url), undefined, { batchMaxCount: 1 });
  const provider = {
    request: ({ method, params }: { method: string; params?: unknown[] }) => client.send(method, params ?? []),
  };
  return { provider: provider as Eip1193Provider, close: async () => client.destroy() };
}

function checkedUrl(url: string): string {
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return url;
  throw new UsageError("ITC_CLI_URL", `${url} is no RPC address.`, "Give one such as http://127.0.0.1:8545.");
}

function operatorFromEnvironment(): Account {
  const key = process.env.ITC_OPERATOR_KEY ?? "";
  if (!/^0x[0-9a-fA-F]{64}$/.test(key)) {
    throw new UsageError(
      "ITC_CLI_KEY",
      "ITC_OPERATOR_KEY is no private key.",
      "Set it to 0x and 64 hex digits; it pays for the gas.",
    );
  }
  return accountOf(key);
}

/** Never reads more than a bundle can be, whatever the file is. */
async function readSmall(file: string): Promise<string> {
  const found = await stat(file).catch(() => undefined);
  if (!found?.isFile()) throw new UsageError("ITC_CLI_FILE", `There is no file ${file}.`, "Name a bundle of evidence.");
  if (found.size > MAX_BUNDLE_BYTES) {
    throw new EvidenceError(
      "ITC_EVIDENCE_TOO_LARGE",
      `${file} has ${found.size} bytes.`,
      `A bundle has ${MAX_BUNDLE_BYTES} at most.`,
    );
  }
  const handle = await open(file);
  try {
    return await handle.readFile("utf8");
  } finally {
    await handle.close();
  }
}
