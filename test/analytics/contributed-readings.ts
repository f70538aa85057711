import { expect } from "chai";
import { concat, Interface, toBeHex } from "ethers";
import { ContributedReadings } from "../../toolkit/analytics/contributed-readings.js";
import { aggregatePublic, answersFrom, proposeResult } from "../../toolkit/analytics/public-aggregator.js";
import type { PublicReadings } from "../../toolkit/analytics/public-readings.js";
import { leafWords, Origin } from "../../toolkit/analytics/result-tree.js";
import { Sender } from "../../toolkit/analytics/sender.js";
import type { IotchainError } from "../../toolkit/errors.js";
import { toHex } from "../../toolkit/internal/bytes.js";
import { anchored, idOf, opened, ownerOf, passWindow, pastAnchoring, raise, readingsOf, treeOf } from "./market.js";
import { Mirror } from "./mirror.js";
import { answererOf, brief, proposeData, towerOf, type WatchStage, withLeaves } from "./watched.js";

describe("Readings that were contributed on chain and published nowhere", () => {
  let stage: WatchStage;
  let mirror: Mirror;
  let reader: PublicReadings;

  beforeEach(async () => {
    stage = await withLeaves();
    mirror = await Mirror.open(stage.market);
    reader = mirror.reader();
    await publish(({ key }) => key.id !== device());
  });

  afterEach(async () => {
    reader.close();
    await mirror.remove();
  });

  type IsOpen = Parameters<Mirror["batch"]>[1];
  const publish = (isOpen: IsOpen) => mirror.publish("gateway.ndjson", mirror.batch(stage.batch, isOpen));
  const device = () => stage.market.keys[1]?.id ?? raise();
  const owner = () => stage.market.owners[1] ?? raise();
  const openings = () => [3, 4, 5].map((k) => opened(stage.market, stage.batch, k));
  const contribute = (readings = openings()) =>
    stage.market.desk.contributeReadings(stage.market.addresses.Analytics, stage.request, device(), readings);
  const calldata = (readings = openings()) =>
    stage.market.desk.interface.encodeFunctionData("contributeReadings", [
      stage.market.addresses.Analytics,
      stage.request,
      device(),
      readings,
    ]);
  /** The log grows, so that places of contributed readings are out of date; then the data are complete. */
  async function end(): Promise<void> {
    const { market, request } = stage;
    await anchored(market, readingsOf(market, request, market.keys[6] ?? raise(), [1n]));
    await pastAnchoring(market, request);
  }
  const sources = () => {
    const { ethers, addresses } = stage.market;
    return { provider: ethers.provider, addresses, readings: reader };
  };
  const build = () => aggregatePublic(idOf(stage.market, stage.request), sources());
  const leafOf = ({ tree }: Awaited<ReturnType<typeof build>>) =>
    tree.leaves.find((leaf) => leaf.device === device()) ?? raise();
  const found = () => {
    const { ethers, addresses } = stage.market;
    const contributed = new ContributedReadings(ethers.provider, addresses);
    return contributed.of(idOf(stage.market, stage.request), stage.request, device().toLowerCase());
  };

  it("count in a public result that stands against every challenge, and are laid open when they are questioned", async () => {
    const { market, request, shelf, leaves } = stage;
    await contribute();
    await end();
    const result = await build();
    expect(result.tree.root).to.deep.equal(stage.tree.root);
    expect(await shelf.put(result.data())).to.equal(result.content);
    const { provider } = market.ethers;
    await proposeResult(result, provider, market.addresses, new Sender(provider, market.proposer));

    const at = market.addresses.Analytics;
    const leaf = leaves[1] ?? raise();
    const place = result.tree.place(result.tree.indexOf(leaf.owner, leaf.device) ?? raise());
    const ignored = market.court.connect(market.watcher).challengeIgnored(at, request, leafWords(leaf), place);
    await expect(ignored).to.be.revertedWithCustomError(market.court, "CourtNothingWrong");
    const gap = result.tree.gap(ownerOf(market, 7), market.keys[7]?.id ?? raise());
    const gone = market.court.connect(market.watcher).challengeIgnoredDevice(at, request, leaf.owner, device(), gap);
    await expect(gone).to.be.revertedWithCustomError(market.court, "CourtNoGap");

    const said = brief(await towerOf(stage, { questions: "all" }).round());
    expect(said.filter((line) => /^(clean|fault|sent challenge)/.test(line))).to.have.length(1);
    expect(said.join()).to.match(/clean/);
    const domain = { chainId: market.chainId, analytics: at };
    const answerer = answererOf(stage, result.tree, answersFrom(domain, shelf.source, reader));
    expect(brief(await answerer.round()).sort()).to.deep.equal(
      leaves.map((one) => `sent answerWithReadings ${one.device.toLowerCase()}`).sort(),
    );
    await passWindow(market, 10_000n);
    await market.analytics.finalise(request);
    expect((await market.analytics.resultOf(idOf(market, request))).isFinal).to.equal(true);
  });

  it("count beside those that are published, once each", async () => {
    await publish(({ reading }) => reading.sequence < 3n);
    await contribute(openings().slice(1));
    await end();
    expect(toHex(leafOf(await build()).partial)).to.equal(toHex(stage.leaves[1]?.partial ?? raise()));
    const { readingsOf: openOf } = await reader.of(idOf(stage.market, stage.request), stage.request);
    expect((await openOf(device())).map(({ fields }) => fields.sequence)).to.deep.equal([1n, 2n, 3n]);
  });

  it("are found where another contract has passed the call on, behind bytes that only look like it", async () => {
    const { market } = stage;
    const [first = raise(), ...rest] = openings();
    const { fields, place } = first;
    const lies = [
      calldata([{ ...first, value: 99n }, ...rest]),
      calldata([...rest, first]),
      calldata([{ ...first, fields: { ...fields, sequence: 0n } }, ...rest]),
      calldata([{ ...first, fields: { ...fields, time: 0n } }, ...rest]),
      calldata([{ ...first, place: { ...place, index: 99n } }, ...rest]),
      calldata([{ ...first, place: { ...place, publisher: device() } }, ...rest]),
      calldata([{ ...first, signature: "0x" }, ...rest]),
      calldata(rest),
      calldata().slice(0, -2000),
      `${calldata().slice(0, 10 + 64 * 29)}${"ff".repeat(32)}`,
    ];
    const call = calldata();
    const decoys = concat(lies);
    const busy = await market.ethers.deployContract("BusyOwner");
    const head = busy.interface.getFunction("execute")?.selector ?? raise();
    const offset = BigInt(64 + (decoys.length - 2) / 2);
    const words = [toBeHex(market.addresses.QuestionDesk, 32), toBeHex(offset, 32)];
    const data = concat([head, ...words, decoys, toBeHex((call.length - 2) / 2, 32), call]);
    await market.operator.sendTransaction({ to: await busy.getAddress(), data });
    await end();
    expect((await found()).map(({ value }) => value)).to.deep.equal(openings().map(({ value }) => value));
    expect(leafOf(await build()).count).to.equal(3n);
  });

  it("count though the device has changed since its readings were first read", async () => {
    const { market, request } = stage;
    await reader.of(idOf(market, request), request);
    await market.registry.connect(owner()).suspend(device());
    await market.registry.connect(owner()).resume(device());
    await contribute();
    await end();
    expect(leafOf(await build())).to.include({ origin: Origin.Proved, count: 3n });
  });

  it("keep a result from being built where they are in no calldata", async () => {
    const { market } = stage;
    const busy = await (await market.ethers.deployContract("BusyOwner")).getAddress();
    const send = async (text: string, words: readonly unknown[]) => {
      const data = Interface.from([`function ${text}`]).encodeFunctionData(text.split("(", 1)[0] ?? "", words);
      await market.operator.sendTransaction({ to: busy, data, gasLimit: 15_000_000n });
    };
    const me = market.operator.address;
    await send("plan(address,bytes)", [market.addresses.QuestionDesk, calldata()]);
    await send("onERC721Received(address,address,uint256,bytes)", [me, me, 0n, "0x"]);
    const id = idOf(market, stage.request);
    expect(await market.desk.contributionOf(market.addresses.Analytics, id, device())).to.equal(3n);
    await end();
    expect(await found()).to.deep.equal([]);
    expect(await build().then(raise, ({ code }: IotchainError) => code)).to.equal("ITC_RESULT_CONTRIBUTED");
  });

  it("don't count once the device has changed", async () => {
    const { market } = stage;
    await contribute();
    await market.registry.connect(owner()).suspend(device());
    await market.registry.connect(owner()).resume(device());
    await end();
    expect(await found()).to.deep.equal([]);
    expect((await build()).withheld.get(device())).to.equal("no-partial");
  });

  it("let a watchtower question a partial that they don't come to", async () => {
    const { request, leaves } = stage;
    await contribute();
    await end();
    const wrong = leaves.map((leaf, k) => (k === 1 ? { ...leaf, partial: leaf.partial.with(31, 99) } : leaf));
    const lying = treeOf(request, wrong);
    await proposeData(stage, lying, lying);
    const said = brief(await towerOf(stage).round());
    expect(said.filter((line) => line.startsWith("sent"))).to.deep.equal([`sent question ${device().toLowerCase()}`]);
  });
});
