import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { measureAnalytics } from "./gas-analytics.js";
import { measureAnchoring } from "./gas-anchoring.js";
import { measureAttestation } from "./gas-attestation.js";
import { measureChallenges } from "./gas-challenges.js";
import { measureClaims } from "./gas-claims.js";
import { measureIdentity } from "./gas-devices.js";
import { measureToken } from "./gas-money.js";
import { measurePayouts } from "./gas-payouts.js";
import { measureRegistry } from "./gas-registry.js";
import { measureZk } from "./gas-zk.js";
import { type Measured, openBench } from "./rig.js";
import targets from "./targets.json" with { type: "json" };

/** A row of bench/results/gas.json. Gas of a whole transaction, unless `unit` says execution. */
interface Row extends Measured {
  readonly target: number;
  readonly unit?: string;
}

const RESULTS = fileURLToPath(new URL("results/gas.json", import.meta.url));
const PAGE = fileURLToPath(new URL("../docs/gas.md", import.meta.url));
const BEGIN = "<!-- gas table: begin, written by npm run bench:gas -->";
const END = "<!-- gas table: end -->";

const number = new Intl.NumberFormat("en-US");

/** The rows as a table, for the terminal and for the page. */
function tableOf(rows: readonly Row[]): string {
  const known: Readonly<Record<string, { what: string }>> = targets;
  const lines = rows.map(({ id, gas, target, unit, peer }) => {
    const beside = peer ? `${peer.name} ${number.format(peer.gas)} (${(gas / peer.gas).toFixed(2)}×)` : "";
    const mark = gas <= target ? "reached" : "**missed**";
    const cells = [
      `\`${id}\``,
      known[id]?.what ?? "",
      number.format(gas) + (unit ? ` (${unit})` : ""),
      number.format(target),
    ];
    return `| ${[...cells, `${mark}, ${(gas / target).toFixed(2)}×`, beside].join(" | ")} |`;
  });
  return [
    "| id | what | gas | target | | beside it, same run |",
    "| --- | --- | ---: | ---: | --- | --- |",
    ...lines,
  ].join("\n");
}

async function main(): Promise<void> {
  const bench = await openBench();
  const measured: Measured[] = [];
  for (const measure of [
    measureIdentity,
    measureRegistry,
    measureAttestation,
    measureClaims,
    measureAnchoring,
    measureToken,
    measureAnalytics,
    measureChallenges,
    measureZk,
    measurePayouts,
  ]) {
    measured.push(...(await measure(bench)));
  }
  await bench.close();
  const rows = Object.entries(targets).map(([id, { target, ...rest }]): Row => {
    const found = measured.find((row) => row.id === id);
    if (!found) throw new Error(`Nothing measured ${id}.`);
    const unit = "unit" in rest ? { unit: rest.unit } : {};
    return { id, gas: found.gas, target, ...unit, ...(found.peer && { peer: found.peer }) };
  });
  await mkdir(dirname(RESULTS), { recursive: true });
  await writeFile(RESULTS, `${JSON.stringify({ rows }, null, 2)}\n`);
  const page = await readFile(PAGE, "utf8");
  const [head = "", rest = ""] = page.split(BEGIN);
  const tail = rest.split(END)[1] ?? "";
  await writeFile(PAGE, `${head}${BEGIN}\n\n${tableOf(rows)}\n\n${END}${tail}`);
  console.log(tableOf(rows));
}

await main();
