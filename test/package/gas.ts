import { readFile } from "node:fs/promises";
import { expect } from "chai";
import { z } from "zod";
import { measureToken } from "../../bench/gas-money.js";
import { openBench } from "../../bench/rig.js";
import { DataAnchor__factory } from "../../toolkit/contracts.js";
import { secretOf } from "../../toolkit/testing/fixture.js";

const gas = z.int().positive();
const Results = z.strictObject({
  rows: z.array(
    z.strictObject({
      id: z.string(),
      gas,
      target: gas,
      unit: z.literal("execution").optional(),
      peer: z.strictObject({ name: z.string(), gas, measured: z.boolean() }).optional(),
    }),
  ),
});

const read = async (path: string) => readFile(new URL(`../../${path}`, import.meta.url), "utf8");

describe("the committed gas figures", () => {
  it("have the shape, ids and targets that they are to have, and reach the targets", async () => {
    const { rows } = Results.parse(JSON.parse(await read("bench/results/gas.json")));
    const targets: Record<string, { target: number }> = JSON.parse(await read("bench/targets.json"));
    expect(rows.map(({ id, target }) => [id, target])).to.deep.equal(
      Object.entries(targets).map(([id, { target }]) => [id, target]),
    );
    expect(rows.filter(({ gas: found, target }) => found > target).map(({ id }) => id)).to.deep.equal([]);
  });

  it("stand in the table of docs/gas.md", async () => {
    const page = await read("docs/gas.md");
    const { rows } = Results.parse(JSON.parse(await read("bench/results/gas.json")));
    for (const { id, gas: found } of rows) {
      expect(page).to.match(new RegExp(`\`${id.replaceAll(".", "\\.")}\` .*\\| ${found.toLocaleString("en-US")} `));
    }
  });

  it("are what README says, and what the guides say of those", async () => {
    const { rows } = Results.parse(JSON.parse(await read("bench/results/gas.json")));
    const known = new Set(rows.flatMap(({ gas: found, peer }) => [found, peer?.gas ?? found]));
    const said = [...(await read("README.md")).matchAll(/^\| .* \| ([\d, /]+) \|$/gm)].flatMap(([, cell = ""]) =>
      cell.split("/").map((figure) => Number(figure.replaceAll(",", ""))),
    );
    expect(said.length).to.be.greaterThan(8);
    expect(said.filter((figure) => !known.has(figure))).to.deep.equal([]);
    const pages: readonly [string, (id: string) => boolean][] = [
      ["anchoring", (id) => id.startsWith("anchoring.")],
      ["analytics", (id) => id.startsWith("analytics.") && id !== "analytics.verifyZk"],
      ["zk", (id) => id === "analytics.verifyZk"],
      ["payouts", (id) => id.startsWith("payouts.")],
    ];
    for (const [name, isOwn] of pages) {
      const page = await read(`docs/${name}.md`);
      const own = rows.filter(({ id }) => isOwn(id));
      expect(own.length, name).to.be.greaterThan(0);
      for (const { id, gas: found } of own) expect(page, id).to.contain(found.toLocaleString("en-US"));
    }
  });

  it("are what the code costs now", async () => {
    const bench = await openBench();
    try {
      const { rows } = Results.parse(JSON.parse(await read("bench/results/gas.json")));
      const committed = (id: string) => rows.find((row) => row.id === id);
      for (const { id, gas: found, peer } of await measureToken(bench)) {
        expect([id, found, peer?.gas]).to.deep.equal([id, committed(id)?.gas, committed(id)?.peer?.gas]);
      }
      const publisher = await bench.account("publisher");
      let sum = 0;
      for (let k = 0; k < 1024; k++) {
        const args = [publisher.address, k, secretOf(1, `entry ${k}`)];
        sum += await bench.send(publisher, bench.addresses.DataAnchor, DataAnchor__factory.abi, "append", args);
      }
      expect(Math.round(sum / 1024)).to.equal(committed("anchoring.append.mean1024")?.gas);
    } finally {
      await bench.close();
    }
  });
});
