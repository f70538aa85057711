import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Eip1193Provider, JsonRpcProvider } from "ethers";
import { deployAll } from "../../deploy/index.js";
import { type Account, accountOf, Chain } from "../testing/chain.js";
import { startEmbedded } from "../testing/embedded.js";
import { deployTarget } from "../testing/fixture.js";
import { Progress } from "../testing/progress.js";
import { replay } from "../testing/replay.js";
import { writeReport } from "../testing/report.js";
import { loadScenario } from "../testing/scenario.js";
import { summarise } from "../testing/summary.js";
import { checkedUrl, UsageError } from "./input.js";

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
