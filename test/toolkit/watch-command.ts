import { mkdir, readFile, truncate, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect } from "chai";
import { parse } from "csv-parse/sync";
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import { webSource } from "../../toolkit/analytics/data-sources.js";
import { HeaderLine } from "../../toolkit/analytics/result-format.js";
import { nodeDigest } from "../../toolkit/analytics/result-tree.js";
import { checkFile, exportResult } from "../../toolkit/cli/result.js";
import { watch } from "../../toolkit/cli/watch.js";
import type { IotchainError } from "../../toolkit/errors.js";
import { toHex } from "../../toolkit/internal/bytes.js";
import { raise, treeOf } from "../analytics/market.js";
import { Mirror } from "../analytics/mirror.js";
import { dataOf, proposeData, type WatchStage, withLeaves } from "../analytics/watched.js";
import { itc, printed, type ServedMarket, serveMarket } from "./command-rig.js";

describe("itc watch and itc result", () => {
  let stage: WatchStage;
  let served: ServedMarket;
  let rpc: string;
  let folder: string;
  let data: string;
  let file: string;
  let addresses: string;

  const looking = (changes: object = {}) =>
    watch({
      ...{ rpc, addresses, data, state: join(folder, "state"), dryRun: true, once: true },
      ...{ questions: "none", most: "0", every: 12, ...changes },
    });

  before(async () => {
    stage = await withLeaves();
    served = await serveMarket(stage.market);
    ({ rpc, folder } = served);
    data = served.path("data");
    addresses = served.path("deployments");
    file = join(folder, "result.ndjson");
    await writeFile(file, Buffer.concat([...dataOf(stage.market, stage.request, stage.tree)]));
  });

  after(() => served.close());

  const keep = () =>
    Promise.all([...stage.shelf.kept].map(([content, bytes]) => writeFile(join(data, `${content}.ndjson`), bytes)));

  it("see who is left out by published readings, and challenge it", async () => {
    const { market, request, tree, batch } = stage;
    const left = treeOf(request, tree.leaves.slice(1));
    const mirror = await Mirror.open(market);
    const snapshot = await market.networkHelpers.takeSnapshot();
    try {
      await proposeData(stage, left, left);
      await keep();
      expect(await printed(looking())).to.match(/clean.*exit 0/s);
      await mirror.publish("gateway.ndjson", mirror.batch(batch));
      await mirror.append("gateway.ndjson", "nonsense\n");
      const { folder: readings, state } = mirror;
      const said = await printed(looking({ readings, state }));
      expect(said).to.match(/unread +gateway.ndjson:\d+ .*\nfault +0x[0-9a-f]{64} omission\nreported .*exit 1/s);
      const args = ["watch", "--rpc", rpc, "--addresses", addresses, "--data", data, "--once", "--readings", readings];
      const done = await itc(...args, "--state", join(state, "more"), "--key-file", join(folder, "key"));
      expect(done.out).to.match(/sent +0x[0-9a-f]{64} challengeOmission 0x[0-9a-f]{64}\n/);
    } finally {
      await snapshot.restore();
      await mirror.remove();
    }
  });

  it("find a lie, say so without a key, and take it down with one", async () => {
    const { market, request, leaves, shelf } = stage;
    const [first = raise(), ...rest] = leaves;
    const wrong = treeOf(request, [{ ...first, weight: 9n }, ...rest]);
    await proposeData({ market, request, shelf }, wrong, wrong);
    await keep();
    const args = ["watch", "--rpc", rpc, "--addresses", addresses, "--data", data, "--once"];
    const seen = await itc(...args, "--dry-run");
    expect([seen.code, seen.errors]).to.deep.equal([1, ""]);
    expect(seen.out).to.match(/as nobody.*\nfault +0x[0-9a-f]{64} leaf\nreported 0x[0-9a-f]{64} challengeLeaf\n/);
    const done = await itc(...args, "--key-file", join(folder, "key"));
    expect(done.out).to.match(/sent +0x[0-9a-f]{64} challengeLeaf 0x[0-9a-f]{64}\n/);
    expect((await market.analytics.proposalOf(request)).proposer).to.match(/^0x0{40}$/);
    await market.networkHelpers.time.increase(2n);
    await proposeData(stage, stage.tree, stage.tree);
    await keep();
    expect(await printed(looking())).to.match(/clean.*exit 0/s);
  });

  it("check data without a node, and find what is wrong with them", async () => {
    const root = toHex(nodeDigest(stage.tree.root));
    const good = await itc("result", "check", file, "--json");
    expect([good.code, JSON.parse(good.out)]).to.deep.equal([
      0,
      { ...JSON.parse(good.out), root, leaves: 6, findings: [] },
    ]);
    expect(await printed(checkFile(file, { root }))).to.match(/Nothing is wrong.*exit 0/s);
    expect(await printed(checkFile(file, { root: `0x${"11".repeat(32)}` }))).to.match(/root-mismatch.*NOT.*exit 1/s);
    expect(await printed(checkFile(file, { content: `0x${"11".repeat(32)}` }))).to.match(/content-mismatch.*exit 1/s);
    const [first = raise(), ...rest] = stage.leaves;
    const bad = treeOf(stage.request, [{ ...first, weight: 9n }, ...rest]);
    const wrong = join(folder, "wrong.ndjson");
    await writeFile(wrong, Buffer.concat([...dataOf(stage.market, stage.request, bad)]));
    expect(await printed(checkFile(wrong, {}))).to.match(/FAULT +leaf +device 0x.*exit 1/s);
    await writeFile(wrong, (await readFile(file)).subarray(0, -30));
    expect(await printed(checkFile(wrong, {}))).to.match(/FAULT +root-mismatch.*Line 7.*exit 1/s);
  });

  it("export the same rows as CSV, JSON and Parquet", async () => {
    const out = (name: string) => join(folder, name);
    const command = await itc("result", "export", file, "--to", "csv", "--out", out("a.csv"));
    expect([command.code, command.out.startsWith("6 leaves")]).to.deep.equal([0, true]);
    await printed(exportResult(file, { to: "json", out: out("a.json") }));
    await printed(exportResult(file, { to: "parquet", out: out("a.parquet") }));
    const rows = JSON.parse(await readFile(out("a.json"), "utf8"));
    expect(rows).to.deep.equal(
      stage.tree.leaves.map(({ owner, device, count, weight, evidence, partial }) => ({
        owner: owner.toLowerCase(),
        device: device.toLowerCase(),
        origin: "proved",
        ...{ count: String(count), weight: String(weight), spent: "0" },
        ...{ evidence_first: toHex(evidence[0]), evidence_second: "0x", partial: toHex(partial) },
      })),
    );
    expect(parse(await readFile(out("a.csv"), "utf8"), { columns: true })).to.deep.equal(rows);
    const parquet = await asyncBufferFromFile(out("a.parquet"));
    expect(await parquetReadObjects({ file: parquet })).to.deep.equal(rows);
    const { key_value_metadata: kept } = await parquetMetadataAsync(parquet);
    const header = HeaderLine.parse(JSON.parse(kept?.find(({ key }) => key === "iotchain:result")?.value ?? ""));
    expect(header.request.salt).to.equal(stage.request.salt);
  });

  it("export more leaves than fit into one piece, and hold but some of them", async () => {
    const [line = "", leaf = ""] = (await readFile(file, "utf8")).split("\n");
    const many = 30_000;
    const text = [line.replace('"leaves":6', `"leaves":${many}`)];
    for (let k = 0; k < many; k++) text.push(leaf.replace(/0x[0-9a-f]{40}/, `0x${k.toString(16).padStart(40, "0")}`));
    const large = join(folder, "large.ndjson");
    await writeFile(large, `${text.join("\n")}\n`);
    for (const to of ["csv", "json", "parquet"]) {
      await printed(exportResult(large, { to, out: join(folder, `large.${to}`) }));
    }
    expect(JSON.parse(await readFile(join(folder, "large.json"), "utf8"))).to.have.length(many);
    expect(parse(await readFile(join(folder, "large.csv"), "utf8"), { columns: true })).to.have.length(many);
    const parquet = await asyncBufferFromFile(join(folder, "large.parquet"));
    const { num_rows: rows, row_groups: groups } = await parquetMetadataAsync(parquet);
    expect([rows, groups.length]).to.deep.equal([BigInt(many), Math.ceil(many / 4096)]);
  });

  it("refuse what they can't take, each with its code, and leave no half file", async () => {
    const path = (name: string) => join(folder, name);
    await writeFile(path("binary"), Buffer.from(Array.from({ length: 9000 }, (_, k) => (k * 7) % 256)));
    await writeFile(path("text"), "hello\n");
    await writeFile(path("huge"), "");
    await truncate(path("huge"), 2 ** 32);
    const text = await readFile(file, "utf8");
    await writeFile(path("long"), `${text.split("\n", 1)[0]}\n${"[".repeat(3_000_000)}\n`);
    await writeFile(path("short"), text.slice(0, -30));
    const to = { to: "csv", out: path("never.csv") };
    const foreign = { ...stage.market.addresses, Analytics: `0x${"11".repeat(20)}` };
    await mkdir(path("foreign/31337"), { recursive: true });
    await writeFile(path("foreign/31337/addresses.json"), JSON.stringify(foreign));
    await writeFile(path("badkey"), "secret words\n");
    await writeFile(path("longkey"), "0".repeat(200));
    const refused: [code: string, command: () => Promise<void>][] = [
      ["ITC_CLI_FILE", () => exportResult(path("nowhere"), to)],
      ["ITC_CLI_FILE", () => checkFile(folder, {})],
      ["ITC_RESULT_DATA", () => exportResult(path("binary"), to)],
      ["ITC_RESULT_DATA", () => exportResult(path("text"), to)],
      ["ITC_RESULT_DATA", () => exportResult(path("huge"), to)],
      ["ITC_RESULT_DATA", () => exportResult(path("long"), to)],
      ["ITC_RESULT_DATA", () => exportResult(path("short"), to)],
      ["ITC_RESULT_DATA", () => checkFile(path("binary"), {})],
      ["ITC_CLI_FORMAT", () => exportResult(file, { to: "xlsx", out: path("x") })],
      ["ITC_CLI_SAME_FILE", () => exportResult(file, { to: "csv", out: join(folder, ".", "result.ndjson") })],
      ["ITC_CLI_WRITE", () => exportResult(file, { to: "csv", out: path("no/such/folder.csv") })],
      ["ITC_CLI_WRITE", () => exportResult(file, { to: "parquet", out: path("no/such/folder.parquet") })],
      ["ITC_CLI_WORD", () => checkFile(file, { root: "0x12" })],
      ["ITC_CLI_URL", () => looking({ rpc: "ftp://x" })],
      ["ITC_CHAIN_UNREACHABLE", () => looking({ rpc: "http://127.0.0.1:1" })],
      ["ITC_ADDRESSES_NONE", () => looking({ addresses: path("data") })],
      ["ITC_CLI_CONTRACT", () => looking({ addresses: path("foreign") })],
      ["ITC_CLI_FOLDER", () => looking({ data: path("nowhere") })],
      ["ITC_CLI_FOLDER", () => looking({ readings: path("nowhere") })],
      ["ITC_CLI_FOLDER", () => looking({ readings: file })],
      ["ITC_CLI_WRITE", () => looking({ readings: folder, state: join(file, "state") })],
      ["ITC_CLI_AMOUNT", () => looking({ most: "-1" })],
      ["ITC_CLI_KEY", () => looking({ dryRun: false })],
      ["ITC_CLI_KEY", () => looking({ dryRun: false, keyFile: path("badkey") })],
      ["ITC_CLI_TOO_LARGE", () => looking({ dryRun: false, keyFile: path("longkey") })],
      ["ITC_CLI_FILE", () => looking({ dryRun: false, keyFile: path("nowhere") })],
    ];
    for (const [code, command] of refused) expect(await printed(command()), code).to.equal(code);
    const { code, errors } = await itc("result", "export", path("text"), "--to", "csv", "--out", path("never.csv"));
    expect([code, errors.trim().split("\n").length, errors.startsWith("ITC_RESULT_DATA: ")]).to.deep.equal([
      1,
      1,
      true,
    ]);
    expect(await readFile(path("never.csv")).catch(() => undefined)).to.equal(undefined);
    expect(await readFile(file, "utf8")).to.equal(text);
  });

  it("read data from a web address, tell what isn't there from what can't be had, and stop at a limit", async () => {
    const content = `0x${"22".repeat(32)}`;
    const web = createServer((request, response) => {
      if (request.url === `/x/${content}.ndjson`) response.end("0123456789");
      else response.writeHead(request.url?.startsWith("/x/") ? 404 : 500).end();
    });
    await new Promise<void>((ready) => web.listen(0, "127.0.0.1", ready));
    const base = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
    const read = async (place: string, name = content, most = 100) => {
      const found = await webSource(place, most)(name);
      const pieces: Uint8Array[] = [];
      for await (const piece of found ?? []) pieces.push(piece);
      return found && Buffer.concat(pieces).toString();
    };
    const codeOf = (reading: Promise<unknown>) => reading.then(String, (error: IotchainError) => error.code);
    try {
      expect(await read(`${base}/x`)).to.equal("0123456789");
      expect(await read(`${base}/x/`, `0x${"33".repeat(32)}`)).to.equal(undefined);
      expect(await codeOf(read(`${base}/y`))).to.equal("ITC_WATCH_DATA");
      expect(await codeOf(read(`${base}/x`, content, 9))).to.equal("ITC_WATCH_DATA");
      expect(await codeOf(read("http://127.0.0.1:1"))).to.equal("ITC_WATCH_DATA");
    } finally {
      await new Promise((closed) => web.close(closed));
    }
  });
});
