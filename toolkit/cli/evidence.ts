import { randomUUID } from "node:crypto";
import { rename, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { JsonRpcProvider } from "ethers";
import { readAddresses } from "../addresses.js";
import { attachState } from "../anchoring/attach.js";
import { type Evidence, MAX_BUNDLE_BYTES, readEvidence, writeEvidence } from "../anchoring/evidence.js";
import type { TrustedContracts } from "../anchoring/evidence-findings.js";
import { headersBetween, MAX_HEADER_BYTES, MAX_HEADERS, readHeader } from "../anchoring/headers.js";
import { checkPayload } from "../anchoring/payload-check.js";
import { type Verdict, verifyEvidence } from "../anchoring/verify.js";
import { verifyLight } from "../anchoring/verify-light.js";
import { toHex } from "../internal/bytes.js";
import { verdictOf } from "../internal/findings.js";
import { Chain } from "../testing/chain.js";
import { checkedUrl, printable, readSmall, UsageError } from "./input.js";

/** Each byte of a header takes two digits, and each header a prefix and the end of its line. */
const MAX_HEADERS_TEXT = MAX_HEADERS * (2 * MAX_HEADER_BYTES + 4);

interface VerifyOptions {
  readonly evidence: string;
  readonly rpc?: string;
  readonly trust?: string;
  readonly headers?: string;
  readonly chain?: number;
  readonly deployments?: string;
  readonly json?: boolean;
}

/** `itc verify`: exit code 1 when something doesn't hold. */
export async function verifyFile(file: string | undefined, options: VerifyOptions): Promise<void> {
  const text = await readBundle(options.evidence);
  const evidence = readEvidence(text);
  const contracts = await contractsOf(evidence, options.deployments);
  const { findings } = await verdictBy(text, contracts, options);
  const payload = await checkPayload(evidence, file);
  const verdict = verdictOf(payload ? [...findings, payload] : findings);
  print(verdict, options.json ?? false, provisosOf(evidence, file, options));
  if (!verdict.holds) process.exitCode = 1;
}

/** `itc attach`. */
export async function attachFile(
  bundle: string,
  { rpc, block, headers }: { rpc: string; block?: number; headers?: string },
): Promise<void> {
  if (headers !== undefined && resolve(headers) === resolve(bundle)) {
    throw new UsageError("ITC_CLI_SAME_FILE", "The headers would replace the bundle.", "Name another file for them.");
  }
  const evidence = readEvidence(await readBundle(bundle));
  await withNode(rpc, async (provider) => {
    const attached = await attachState(evidence, provider, block === undefined ? undefined : BigInt(block));
    await replaceFile(bundle, writeEvidence(attached));
    const header = attached.state && readHeader(attached.state.header);
    if (!header) return;
    console.log(`${bundle} is proved by block ${header.number}, ${toHex(header.hash)}.`);
    if (headers === undefined) return;
    const final = await provider.getBlock("finalized");
    if (!final?.hash || BigInt(final.number) <= header.number) {
      throw new UsageError(
        "ITC_CLI_NOT_FINAL",
        `Block ${header.number} is not below a final one.`,
        "Wait and try again.",
      );
    }
    if (BigInt(final.number) - header.number > MAX_HEADERS) {
      const what = `${BigInt(final.number) - header.number} headers lie between, ${MAX_HEADERS} are possible.`;
      throw new UsageError("ITC_CLI_TOO_FAR", what, "Attach at a later --block.");
    }
    const between = await headersBetween(provider, BigInt(final.number), header.number);
    await writeFile(headers, `${between.map(toHex).join("\n")}\n`);
    console.log(`${headers} links it to block ${final.number}, ${final.hash}.`);
  });
}

async function verdictBy(
  text: string,
  contracts: TrustedContracts | undefined,
  { rpc, trust, headers, chain }: VerifyOptions,
): Promise<Verdict> {
  if ((rpc === undefined) === (trust === undefined)) {
    const what = "What to believe isn't clear.";
    throw new UsageError("ITC_CLI_TRUST", what, "Give either --rpc or --trust.");
  }
  if (rpc !== undefined && (headers !== undefined || chain !== undefined)) {
    const what = "A node is believed: it needs no headers, and says itself which chain it is of.";
    throw new UsageError("ITC_CLI_TRUST", what, "Give --headers and --chain with --trust alone.");
  }
  if (rpc !== undefined) return withNode(rpc, (provider) => verifyEvidence(text, provider, contracts));
  const lines = headers === undefined ? "" : await readSmall(headers, MAX_HEADERS_TEXT, "a file of headers");
  const between = lines.split(/\r?\n/).filter((line) => line !== "");
  return verifyLight(text, {
    trusted: trust ?? "",
    headers: between,
    ...(chain !== undefined && { chainId: BigInt(chain) }),
    ...(contracts && { contracts }),
  });
}

/** What the reader has to see to himself: what he has named nothing for, the bundle alone vouches for. */
function provisosOf({ domain, content }: Evidence, file: string | undefined, options: VerifyOptions): string[] {
  const { deployments, trust, chain } = options;
  return [
    ...(deployments === undefined ? ["the contracts above are the network's (--deployments)"] : []),
    ...(trust !== undefined && chain === undefined ? [`the block is of chain ${domain.chainId} (--chain)`] : []),
    ...(file === undefined && content && content.kind !== "scalar" ? ["the payload, not checked, is the one"] : []),
  ];
}

/** The old file stays whole until the new one is. */
async function replaceFile(path: string, text: string): Promise<void> {
  const draft = `${path}.${randomUUID()}.tmp`;
  await writeFile(draft, text);
  await rename(draft, path);
}

async function contractsOf({ domain }: Evidence, folder: string | undefined): Promise<TrustedContracts | undefined> {
  if (folder === undefined) return undefined;
  const known = await readAddresses(folder, domain.chainId);
  return { registry: known.DeviceRegistry, anchor: known.DataAnchor };
}

async function withNode<Result>(url: string, use: (provider: JsonRpcProvider) => Promise<Result>): Promise<Result> {
  const provider = new JsonRpcProvider(checkedUrl(url), undefined, { batchMaxCount: 1 });
  try {
    // ethers asks a node that doesn't answer for ever; this asks once.
    await Chain.connect({ request: ({ method, params }) => provider.send(method, params ?? []) });
    return await use(provider);
  } finally {
    provider.destroy();
  }
}

function readBundle(file: string): Promise<string> {
  return readSmall(file, MAX_BUNDLE_BYTES, "A bundle of evidence");
}

function print(verdict: Verdict, json: boolean, provisos: readonly string[]): void {
  if (json) {
    console.log(JSON.stringify(verdict));
    return;
  }
  for (const { what, holds, detail } of verdict.findings) {
    console.log(`${holds ? "holds" : "FAILS"}  ${what.padEnd(10)} ${printable(detail)}`);
  }
  const provided = provisos.length === 0 ? "" : `, provided that ${provisos.join(", and that ")}`;
  console.log(verdict.holds ? `The reading is proved${provided}.` : "The reading is NOT proved.");
}
