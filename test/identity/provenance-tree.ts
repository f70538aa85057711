import { expect } from "chai";
import { Log, type LogParams, type Provider, ZeroHash } from "ethers";
import { installationIdOf, parseEpc, prefixHashOf, serialHashOf } from "../../toolkit/identity/epc.js";
import { epcisDocument } from "../../toolkit/identity/epcis.js";
import { type PartNode, partsOf, readProvenance } from "../../toolkit/identity/provenance.js";
import { type Deployed, deployed } from "../support.js";
import { activationOf, enrolLot, keyOf, makeIssuer, send } from "./fleet.js";
import { commission, epcOf, idOf, RANK } from "./parts.js";

const [ARC, SIL, DEV] = ["1111111", "2222222", "3333333"];
const SITE = "urn:epc:id:sgln:7654321.00001.roof";

describe("the toolkit's tree of parts", () => {
  let world: Deployed;
  let tree: PartNode;
  let site: string;
  const signer = (k: number) => world.accounts[k] ?? world.operator;
  const architect = () => signer(0);
  const silicon = () => signer(1);
  const maker = () => signer(2);
  const installer = () => signer(3);
  const as = (who: ReturnType<typeof signer>) => world.provenance.connect(who);
  const [core, chip, module, spare, device] = [
    idOf(ARC, "core"),
    idOf(SIL, "chip"),
    idOf(DEV, "module"),
    idOf(DEV, "spare"),
    idOf(DEV, "device"),
  ];
  const key = keyOf("tree");
  const serials = () => [epcOf(ARC, "core"), epcOf(SIL, "chip"), epcOf(DEV, "device"), SITE];
  const read = (name = site, provider: Provider = world.ethers.provider, most?: number) =>
    readProvenance(provider, world.addresses.Provenance, name, { serials: serials(), ...(most && { most }) });

  before(async () => {
    world = await deployed();
    for (const [who, prefix] of [[architect(), ARC] as const, [silicon(), SIL] as const, [maker(), DEV] as const]) {
      await makeIssuer(world, who);
      await as(who).claimPrefix(prefixHashOf(prefix));
    }
    await commission(world, architect(), ARC, "core", RANK.ipBlock);
    await as(architect()).setLicence(core, silicon().address, true);
    await commission(world, silicon(), SIL, "chip", RANK.chip, [core]);
    await as(silicon()).handOver(chip, maker().address);
    await as(silicon()).cancel(chip, 1);
    await as(silicon()).handOver(chip, maker().address);
    await as(maker()).accept(chip, 2);
    for (const [name, rank] of [["module", RANK.module] as const, ["spare", RANK.module] as const])
      await commission(world, maker(), DEV, name, rank);
    await commission(world, maker(), DEV, "device", RANK.device);
    await commission(world, maker(), DEV, "device-2", RANK.device);
    await as(maker()).assemble(module, chip);
    await as(maker()).assemble(device, spare);
    await as(maker()).replace(device, spare, module);
    await as(maker()).decommission(spare);
    const lot = await enrolLot(world, maker(), [key]);
    await send(world, activationOf(world, lot, key, installer().address));
    await as(maker()).bindDevice(device, key.id);
    await as(maker()).bindDevice(idOf(DEV, "device-2"), key.id);
    await commission(world, silicon(), DEV, "device", RANK.device);
    await as(maker()).handOver(device, installer().address);
    await as(installer()).accept(device, 1);
    await as(installer()).commissionInstallation(serialHashOf(SITE));
    site = installationIdOf(installer().address, SITE);
    await as(installer()).assemble(site, device);
    await as(installer()).handOver(site, maker().address);
    tree = await read();
  });

  describe("readProvenance", () => {
    it("refuses names that are none, and parts that there aren't", async () => {
      for (const [name, code] of [
        ["", "ITC_PROVENANCE_NAME"],
        ["0x12", "ITC_PROVENANCE_NAME"],
        [`${site}00`, "ITC_PROVENANCE_NAME"],
        ["urn:epc:id:sgtin:1.2.3", "ITC_EPC_INVALID"],
        [ZeroHash, "ITC_PROVENANCE_UNKNOWN"],
        [epcOf(DEV, "none"), "ITC_PROVENANCE_UNKNOWN"],
        [keyOf("unbound").id, "ITC_PROVENANCE_UNKNOWN"],
      ] as const)
        expect(await codeOf(read(name)), name).to.equal(code);
    });

    it("refuses a tree that is larger than the caller wants", async () => {
      expect(await codeOf(read(site, undefined, 4))).to.equal("ITC_PROVENANCE_TOO_LARGE");
      expect(partsOf(await read(site, undefined, 5)).length).to.equal(5);
    });

    it("refuses a node that hides any one event", async () => {
      const logs = await world.ethers.provider.getLogs({ address: world.addresses.Provenance, fromBlock: 0 });
      const named = new Set(partsOf(tree).map(({ id }) => id as string));
      // All but licences, of which no more is said than what events say.
      const telling = (name: string) => name !== "LicenceSet" && name !== "PrefixClaimed";
      let refused = 0;
      for (const hidden of logs) {
        const name = world.provenance.interface.parseLog(hidden)?.name ?? "";
        if (!telling(name) || !hidden.topics.some((topic) => named.has(topic))) continue;
        const liar = altered(world, (found) =>
          found.filter(({ index, blockNumber }) => !same(hidden, index, blockNumber)),
        );
        expect(await codeOf(read(site, liar)), name).to.equal("ITC_PROVENANCE_MISMATCH");
        refused++;
      }
      expect(refused).to.equal(20);
    });

    it("refuses a node that shows an event twice, or one of another part", async () => {
      const { interface: abi } = world.provenance;
      const { provider } = world.ethers;
      const like = (log: Log, change: object) => new Log({ ...(log.toJSON() as LogParams), ...change }, provider);
      const renamed = (from: string, to: string) => (log: Log) =>
        like(log, { topics: log.topics.map((topic) => (topic === from ? to : topic)) });
      const twice = (log: Log) => [log, like(log, { index: log.index + 1000 })];
      const [example] = await provider.getLogs({ address: world.addresses.Provenance, fromBlock: 0 });
      if (!example) throw new Error("No logs.");
      const invented = like(example, { ...abi.encodeEventLog("PartAssembled", [site, spare]), index: 5000 });
      for (const lie of [
        (logs: Log[]) => logs.flatMap((log) => (abi.parseLog(log)?.name === "PartCommissioned" ? twice(log) : [log])),
        (logs: Log[]) =>
          logs.map((log) => (abi.parseLog(log)?.name === "DesignIncluded" ? renamed(core, chip)(log) : log)),
        (logs: Log[]) =>
          logs.map((log) => (abi.parseLog(log)?.name === "PartReplaced" ? renamed(module, spare)(log) : log)),
        (logs: Log[]) => [...logs, invented],
      ])
        expect(await codeOf(read(site, altered(world, lie)))).to.equal("ITC_PROVENANCE_MISMATCH");
    });

    it("shows the whole tree: makers, custodians, serials, device, claims", () => {
      const shape = (node: PartNode): unknown => [node.rank, node.id, node.children.map(shape)];
      const below = ["device", device, [["module", module, [["chip", chip, [["ip-block", core, []]]]]]]];
      expect(shape(tree)).to.deep.equal(["installation", site, [below]]);
      const [whole, main, mod, die, design] = partsOf(tree);
      const people = [installer(), maker(), maker(), silicon(), architect()].map(({ address }) => address);
      expect([whole, main, mod, die, design].map((node) => node?.maker)).to.deep.equal(people);
      for (const node of [whole, main, mod, die]) {
        expect([node?.custodian, node?.root, node?.state]).to.deep.equal([installer().address, site, "in-transit"]);
      }
      expect([design?.custodian, design?.state]).to.deep.equal([architect().address, "active"]);
      expect([whole?.receiver, whole?.serial, main?.serial]).to.deep.equal([
        maker().address,
        SITE,
        epcOf(DEV, "device"),
      ]);
      expect([main?.device, main?.parent, mod?.serial]).to.deep.equal([key.id, site, undefined]);
      const claims = main?.claims.map(({ by, what }) => [by, what]);
      expect(claims).to.deep.equal([
        [maker().address, "device"],
        [silicon().address, "serial"],
      ]);
    });

    it("tells the history of each part, and finds it by id, EPC and device", async () => {
      const kinds = partsOf(tree).map(({ history }) => history.map(({ kind }) => kind));
      expect(kinds).to.deep.equal([
        ["commissioned", "assembled", "handed-over"],
        [
          ...["commissioned", "assembled", "replaced", "bound", "binding-refused", "claim-refused"],
          ...["handed-over", "accepted", "assembled"],
        ],
        ["commissioned", "assembled", "replaced"],
        ["commissioned", "design-included", "handed-over", "cancelled", "handed-over", "accepted", "assembled"],
        ["commissioned", "licence-set"],
      ]);
      const times = partsOf(tree).flatMap(({ history }) => history.map(({ time }) => time));
      expect(times.every((time) => time > 1_600_000_000n)).to.equal(true);
      const [whole] = tree.children;
      for (const name of [device, epcOf(DEV, "device"), key.id]) expect(await read(name)).to.deep.equal(whole);
    });

    it("shows a part that was only ever claimed, and the past at an earlier block", async () => {
      const snapshot = await world.networkHelpers.takeSnapshot();
      await commission(world, silicon(), DEV, "ghost", RANK.chip);
      const ghost = await read(epcOf(DEV, "ghost"));
      expect([ghost.rank, ghost.serial, ghost.claims.map(({ by }) => by)]).to.deep.equal([
        "unknown",
        epcOf(DEV, "ghost"),
        [silicon().address],
      ]);
      await snapshot.restore();
      const replaced = (tree.children[0]?.history ?? []).find(({ kind }) => kind === "replaced");
      const block = (replaced?.block ?? 0) - 1;
      const then = await readProvenance(world.ethers.provider, world.addresses.Provenance, device, { block });
      expect(then.children.map(({ id }) => id)).to.deep.equal([spare]);
    });
  });

  describe("epcisDocument", () => {
    it("says it in the words of EPCIS 2.0, each event once and in order", () => {
      const place = { chainId: world.chainId, contract: world.addresses.Provenance };
      const document = epcisDocument(tree, place);
      const { eventList } = document.epcisBody;
      const words = eventList.map(({ type, action, bizStep, disposition }) =>
        [type, action, bizStep, disposition ?? ""].join(" "),
      );
      const expected = [
        "ObjectEvent ADD commissioning active",
        "ObjectEvent ADD commissioning active",
        "ObjectEvent OBSERVE shipping in_transit",
        "ObjectEvent OBSERVE void_shipping in_progress",
        "ObjectEvent OBSERVE shipping in_transit",
        "TransactionEvent ADD receiving in_progress",
        "ObjectEvent ADD commissioning active",
        "ObjectEvent ADD commissioning active",
        "AggregationEvent ADD assembling ",
        "AggregationEvent ADD assembling ",
        "AggregationEvent DELETE replacing ",
        "AggregationEvent ADD replacing ",
        "ObjectEvent OBSERVE encoding encoded",
        "ObjectEvent OBSERVE encoding mismatch_instance",
        "ObjectEvent OBSERVE inspecting no_pedigree_match",
        "ObjectEvent OBSERVE shipping in_transit",
        "TransactionEvent ADD receiving in_progress",
        "ObjectEvent ADD commissioning active",
        "AggregationEvent ADD installing ",
        "ObjectEvent OBSERVE shipping in_transit",
      ];
      expect(words).to.deep.equal(expected);
      expect(new Set(eventList.map(({ eventID }) => eventID)).size).to.equal(expected.length);
      expect(eventList[1]?.["iotchain:designs"]).to.deep.equal([epcOf(ARC, "core")]);
      const ours = (part: string) => `did:pkh:eip155:${world.chainId}:${world.addresses.Provenance}#${part}`;
      expect([eventList[8]?.parentID, eventList[8]?.childEPCs]).to.deep.equal([ours(module), [epcOf(SIL, "chip")]]);
      expect(eventList[5]?.bizTransactionList).to.deep.equal([{ type: "recadv", bizTransaction: ours(`${chip}-2`) }]);
      expect(document.creationDate).to.equal(eventList.at(-1)?.eventTime);
      expect([document.type, document.schemaVersion, document["@context"][0]]).to.deep.equal([
        "EPCISDocument",
        "2.0",
        "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld",
      ]);
      for (const { eventTime } of eventList) expect(eventTime).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/);
      expect(epcisDocument(tree, place, 0n).creationDate).to.equal("1970-01-01T00:00:00.000Z");
    });
  });

  describe("EPC URIs", () => {
    it("are of five kinds, in one spelling each", () => {
      for (const uri of [
        "urn:epc:id:sgtin:4012345.011122.25",
        "urn:epc:id:sgtin:614141234567.1.a%2Fb!",
        "urn:epc:id:cpi:4012345.AB-12%23.99",
        "urn:epc:id:giai:4012345.radio-core",
        `urn:epc:id:giai:401234567890.${"%2F".repeat(18)}`,
        "urn:epc:id:gdti:4012345.00001.R1",
        "urn:epc:id:sgln:401234567890..0",
      ])
        expect(parseEpc(uri).prefix).to.equal(uri.split(/[:.]/)[4]);
      for (const uri of [
        "",
        "urn:epc:id:sgtin:4012345.011122.",
        "urn:epc:id:sgtin:4012345.0111222.25",
        "urn:epc:id:sgtin:40123.01112222.25",
        "urn:epc:id:sgtin:4012345.011122.a/b",
        "urn:epc:id:sgtin:4012345.011122.%41",
        "urn:epc:id:sgtin:4012345.011122.%2f",
        "urn:epc:id:sgtin:4012345.011122.1\n",
        `urn:epc:id:sgtin:4012345.011122.${"1".repeat(21)}`,
        `urn:epc:id:giai:401234567890.${"x".repeat(19)}`,
        `urn:epc:id:cpi:4012345.${"A".repeat(24)}.1`,
        "urn:epc:id:cpi:4012345.ab.1",
        "urn:epc:id:cpi:4012345.AB.01",
        "urn:epc:id:sscc:4012345.0111222555",
        "URN:EPC:ID:SGTIN:4012345.011122.25",
        "urn:epc:id:toString:4012345.1",
      ])
        expect(() => parseEpc(uri), uri).to.throw("ITC_EPC_INVALID");
      expect(() => installationIdOf("0x12", SITE)).to.throw("ITC_EPC_INVALID");
    });
  });
});

function same(log: Log, index: number, block: number): boolean {
  return log.index === index && log.blockNumber === block;
}

/** A node that alters what it answers when it is asked for logs. */
function altered(world: Deployed, lie: (logs: Log[]) => Log[]): Provider {
  const { provider } = world.ethers;
  return new Proxy(provider as Provider, {
    get(target, name) {
      if (name === "getLogs") return async (filter: never) => lie(await provider.getLogs(filter));
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "no error",
    (error: unknown) => String(Reflect.get(Object(error), "code") ?? error),
  );
}
