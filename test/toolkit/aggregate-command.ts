import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { HDNodeWallet, id } from "ethers";
import { aggregate, answer } from "../../toolkit/cli/aggregate.js";
import { watch } from "../../toolkit/cli/watch.js";
import { asked, idOf, opened, ownerOf, passWindow, pastAnchoring, raise } from "../analytics/market.js";
import { Mirror } from "../analytics/mirror.js";
import { type WatchStage, withLeaves } from "../analytics/watched.js";
import { itc, printed, type ServedMarket, serveMarket } from "./command-rig.js";

/** The key of a market's watcher, the fifth account of every development chain. */
const WATCHER = HDNodeWallet.fromPhrase(`${"test ".repeat(11)}junk`, undefined, "m/44'/60'/0'/0/4").privateKey;

describe("itc aggregate and itc answer", () => {
  let stage: WatchStage;
  let served: ServedMarket;
  let mirror: Mirror;
  let request: string;

  beforeEach(async () => {
    stage = await withLeaves();
    const { market } = stage;
    served = await serveMarket(market);
    mirror = await Mirror.open(market);
    request = idOf(market, stage.request);
    await mirror.publish("gateway.ndjson", mirror.batch(stage.batch));
  });

  afterEach(async () => {
    await mirror.remove();
    await served.close();
  });

  const common = () => ({
    ...{ rpc: served.rpc, addresses: served.path("deployments"), data: served.path("data") },
    ...{ readings: mirror.folder, state: mirror.state, every: 12 },
  });
  const aggregating = (changes: object = {}, of = request) =>
    printed(aggregate(of, { ...common(), proved: 100, ...changes }));
  const answering = (changes: object = {}) => printed(answer({ ...common(), once: true, ...changes }));
  const args = () => {
    const { rpc, addresses, data, readings, state } = common();
    return ["--rpc", rpc, "--addresses", addresses, "--data", data, "--readings", readings, "--state", state];
  };
  const key = () => ["--key-file", served.path("key")];

  it("build a result from published readings, propose it, answer what a watcher asks, and it is final", async () => {
    const { market, leaves } = stage;
    await pastAnchoring(market, stage.request);
    const looked = await itc("aggregate", request, ...args());
    expect([looked.code, looked.errors]).to.deep.equal([0, ""]);
    expect(looked.out).to.match(/^6 of 6 devices, 18 readings\ncontent +0x[0-9a-f]{64}\ndata +.*\.ndjson\n$/);
    expect((await market.analytics.proposalOf(stage.request)).proposer).to.match(/^0x0{40}$/);
    const done = await itc("aggregate", request, ...args(), ...key());
    expect(done.out).to.match(/sent +approve 0x[0-9a-f]{64}\nsent +propose 0x[0-9a-f]{64}\n$/);
    const { proposer, root } = await market.analytics.proposalOf(stage.request);
    expect(proposer).to.equal(market.operator.address);
    await writeFile(served.path("watcher"), WATCHER);
    const { rpc, addresses, data, state, every } = common();
    const asking = { rpc, addresses, data, state, every, keyFile: served.path("watcher"), once: true };
    const said = await printed(watch({ ...asking, questions: "all", most: "100" }));
    expect(said).to.match(new RegExp(`clean +${request} ${root} is right`));
    expect(said.match(/sent +0x[0-9a-f]{64} question/g)).to.have.length(leaves.length);
    const answered = await itc("answer", ...args(), ...key(), "--once");
    expect(answered.errors).to.equal("");
    expect(answered.out.match(/sent +0x[0-9a-f]{64} answerWithReadings/g)).to.have.length(leaves.length);
    await passWindow(market, 10_000n);
    await market.analytics.finalise(stage.request);
    expect((await market.analytics.resultOf(request)).isFinal).to.equal(true);
  });

  it("say why a result can't be proposed, or isn't taken", async () => {
    const { market } = stage;
    expect(await aggregating()).to.equal("ITC_AGGREGATE_EARLY");
    // What was contributed on chain is counted, however many the proposer would lay open.
    const given = [3, 4, 5].map((k) => opened(market, stage.batch, k));
    const giver = market.keys[1]?.id ?? raise();
    await market.desk.contributeReadings(market.addresses.Analytics, stage.request, giver, given);
    await pastAnchoring(market, stage.request);
    const few = await aggregating({ proved: 2 });
    expect(few).to.match(
      /^1 of 6 devices, 3 readings\nwithheld 0x.* proof-size\n.*It can't be proposed for its cohort\.\nexit 1$/s,
    );
    const device = market.keys[0]?.id ?? raise();
    await market.registry.connect(market.owners[0]).suspend(device);
    expect(await aggregating()).to.match(new RegExp(`^5 of 6 devices.*withheld ${device} changed.*exit 0$`, "s"));
    await aggregating({ keyFile: served.path("key") });
    const again = await aggregating({ keyFile: served.path("key") });
    expect(again).to.match(/refused +propose .*AnalyticsWrongStatus.*exit 1$/s);
    expect(await aggregating({}, id("nobody's"))).to.equal("ITC_AGGREGATE_REQUEST");
    const empty = await asked(market, { salt: id("empty"), purpose: id("nobody agreed") });
    await pastAnchoring(market, empty);
    expect(await aggregating({}, idOf(market, empty))).to.equal("ITC_RESULT_EMPTY");
  });

  it("answer for another proposer without a key only in words", async () => {
    const { market } = stage;
    await pastAnchoring(market, stage.request);
    await aggregating({ keyFile: served.path("key") });
    const { tree } = stage;
    await market.desk.connect(market.watcher).demand(market.addresses.Analytics, stage.request, tree.root, 2);
    const silent = { dryRun: true, proposer: market.operator.address };
    expect(await answering(silent)).to.match(/reported 0x[0-9a-f]{64} show 2\nexit 0$/);
    expect(await answering({ ...silent, data: mirror.state })).to.match(/unseen .* leaf 2\.\nexit 0$/);
    expect(await answering({ ...silent, proposer: ownerOf(market, 0) })).to.match(/^Answering .*\nexit 0$/);
  });

  it("refuse what they can't take, each with its code", async () => {
    const file = served.path("key");
    await mkdir(served.path("empty"));
    const keyed = { keyFile: file };
    const refused: [code: string, said: () => Promise<string>][] = [
      ["ITC_CLI_WORD", () => aggregating({}, "0x12")],
      ["ITC_CLI_WORD", () => aggregating({}, `0x${"AB".repeat(32)}`)],
      ["ITC_CLI_URL", () => aggregating({ rpc: "file:///etc" })],
      ["ITC_CHAIN_UNREACHABLE", () => aggregating({ rpc: "http://127.0.0.1:1" })],
      ["ITC_ADDRESSES_NONE", () => aggregating({ addresses: served.path("empty") })],
      ["ITC_CLI_FOLDER", () => aggregating({ readings: served.path("nowhere") })],
      ["ITC_CLI_WRITE", () => aggregating({ state: join(file, "x") })],
      ["ITC_CLI_FILE", () => aggregating({ keyFile: served.path("nokey") })],
      ["ITC_CLI_KEY", () => answering()],
      ["ITC_CLI_PROPOSER", () => answering({ dryRun: true })],
      ["ITC_CLI_PROPOSER", () => answering({ ...keyed, proposer: "0x12" })],
      ["ITC_CLI_FOLDER", () => answering({ ...keyed, data: served.path("nowhere") })],
      ["ITC_CLI_FOLDER", () => answering({ ...keyed, readings: file })],
    ];
    for (const [code, said] of refused) expect(await said(), code).to.equal(code);
    await pastAnchoring(stage.market, stage.request);
    expect(await aggregating({ data: file })).to.equal("ITC_CLI_WRITE");
    expect(await readdir(served.path("data"))).to.deep.equal([]);
    const wrong = await itc("aggregate", request, ...args(), "--proved", "-1");
    expect([wrong.code, wrong.errors.includes("whole number")]).to.deep.equal([1, true]);
  });
});
