import { expect } from "chai";
import { ZeroAddress, ZeroHash } from "ethers";
import { installationIdOf, prefixHashOf, serialHashOf } from "../../toolkit/identity/epc.js";
import { type PartNode, partsOf, readProvenance } from "../../toolkit/identity/provenance.js";
import { decodeRevert, revertDataOf } from "../../toolkit/reverts.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { type Deployed, deployed } from "../support.js";
import { makeIssuer } from "./fleet.js";
import { epcOf, idOf, RANK } from "./parts.js";
import { type Call, PartsModel } from "./parts-model.js";

const STEPS = 800;
const SEED = 20261125;
const PREFIXES = ["1111111", "2222222", "3333333"];
const SITE = "urn:epc:id:sgln:7654321.00001.roof";

describe("random histories of parts", () => {
  let world: Deployed;
  const model = new PartsModel();
  const sites = new Set<string>();
  /** Serials of goods by id, with the prefix of each. */
  const goods = new Map<string, { prefix: string; name: string; rank: number }>();
  const outcomes = new Map<string, number>();
  let counter = 0;

  /** A number below `n`, the same in each run. */
  const below = (n: number): number => Number(BigInt(secretOf(SEED, `draw-${counter++}`)) % BigInt(n));
  const pick = <T>(list: readonly T[]): T => {
    const found = list[below(Math.max(1, list.length))];
    if (found === undefined) throw new Error("Nothing to pick from.");
    return found;
  };
  const signers = () => world.accounts.slice(0, 5);
  const holderOf = (prefix: string) => signers()[PREFIXES.indexOf(prefix)]?.address ?? "";

  before(async () => {
    world = await deployed();
    for (const [k, prefix] of PREFIXES.entries()) {
      const who = signers()[k] ?? world.operator;
      await makeIssuer(world, who);
      await world.provenance.connect(who).claimPrefix(prefixHashOf(prefix));
      for (let n = 0; n < 16; n++) {
        const name = `part-${n}`;
        goods.set(idOf(prefix, name), { prefix, name, rank: [1, 3, 3, 3, 4, 4, 4][n] ?? RANK.chip });
      }
    }
    for (const who of signers().slice(3)) {
      const id = installationIdOf(who.address, SITE);
      await world.provenance.connect(who).commissionInstallation(serialHashOf(SITE));
      model.apply({ do: "commission", by: who.address, holder: who.address, id, rank: RANK.installation });
      sites.add(id);
    }
  });

  /** A call that is right more often than chance would have it, and wrong often enough. */
  function draw(): Call {
    const ids = [...goods.keys(), ...sites];
    const known = [...model.parts.keys()];
    const accounts = signers().map(({ address }) => address);
    const custodianOf = (id: string) => model.parts.get(model.rootOf(id))?.custodian ?? pick(accounts);
    const by = (id: string) => (below(6) === 0 ? pick(accounts) : custodianOf(id));
    const isLive = (one: string) => model.parts.get(model.rootOf(one))?.state === "active";
    const live = known.filter(isLive);
    const full = live.filter((one) => model.childrenOf(one).length > 0);
    const id =
      below(12) === 0 ? pick(ids) : pick([full, live, known].filter((list) => list.length > 0)[below(3)] ?? known);
    /** What could go into a part, as its custodian's. */
    const fitting = (parent: string) =>
      live.filter(
        (one) =>
          custodianOf(one) === custodianOf(parent) &&
          !model.parts.get(one)?.parent &&
          (model.parts.get(one)?.rank ?? 0) < (model.parts.get(parent)?.rank ?? 0),
      );
    const some = (list: string[]) => (list.length > 0 && below(5) > 0 ? pick(list) : pick(ids));
    const part = model.parts.get(id);
    const number = (part?.handOvers ?? 0) + (below(6) === 0 ? 1 : 0);
    switch (below(14)) {
      case 0:
      case 1: {
        const [good, { prefix, rank }] = pick([...goods]);
        const issuers = PREFIXES.map(holderOf);
        return {
          do: "commission",
          by: below(4) ? holderOf(prefix) : pick(issuers),
          holder: holderOf(prefix),
          id: good,
          rank,
        };
      }
      case 2:
      case 3:
      case 4:
      case 5:
        return { do: "assemble", by: by(id), parent: id, child: some(fitting(id)) };
      case 6:
        return { do: "disassemble", by: by(id), parent: id, child: some(model.childrenOf(id)) };
      case 7: {
        const parent = some(full.filter((one) => fitting(one).length > 0));
        const [removed, added] = [some(model.childrenOf(parent)), some(fitting(parent))];
        return { do: "replace", by: by(parent), parent, removed, added };
      }
      case 8:
      case 9: {
        const to = below(10) === 0 ? pick([ZeroAddress, custodianOf(id)]) : pick(accounts);
        return { do: "handOver", by: by(id), id: below(3) ? model.rootOf(id) : id, to };
      }
      case 10:
      case 11:
      case 12: {
        const moving = known.filter((one) => model.parts.get(one)?.state === "in-transit");
        const one = moving.length > 0 && below(6) > 0 ? pick(moving) : id;
        const { receiver = ZeroAddress, handOvers = 0 } = model.parts.get(one) ?? {};
        const who = receiver !== ZeroAddress && below(5) > 0 ? receiver : pick(accounts);
        return { do: below(4) ? "accept" : "cancel", by: who, id: one, number: below(6) ? handOvers : number + 1 };
      }
      default:
        return below(3)
          ? { do: "assemble", by: by(id), parent: id, child: some(fitting(id)) }
          : { do: "decommission", by: by(id), id };
    }
  }

  async function send(call: Call): Promise<string | undefined> {
    const who = signers().find(({ address }) => address === call.by) ?? world.operator;
    const contract = world.provenance.connect(who);
    try {
      switch (call.do) {
        case "commission": {
          const { prefix = "", name = "" } = goods.get(call.id) ?? {};
          await contract.commission(prefixHashOf(prefix), serialHashOf(epcOf(prefix, name)), call.rank, []);
          break;
        }
        case "assemble":
        case "disassemble":
          await contract[call.do](call.parent, call.child);
          break;
        case "replace":
          await contract.replace(call.parent, call.removed, call.added);
          break;
        case "handOver":
          await contract.handOver(call.id, call.to);
          break;
        case "accept":
        case "cancel":
          await contract[call.do](call.id, call.number);
          break;
        case "decommission":
          await contract.decommission(call.id);
      }
      return undefined;
    } catch (error) {
      const found = decodeRevert(revertDataOf(error) ?? "0x")?.name;
      if (found === undefined) throw error;
      return found;
    }
  }

  async function checkViews(): Promise<void> {
    for (const id of [...goods.keys(), ...sites]) {
      const view = [...(await world.provenance.partOf(id))];
      expect(view, id).to.deep.equal(model.viewOf(id, sites));
      // What no model has to say: the way up ends, each step to a higher rank.
      let [rank, parent] = [Number(view[0]), String(view[4])];
      while (parent !== ZeroHash) {
        const above = await world.provenance.partOf(parent);
        expect(Number(above.rank)).to.be.greaterThan(rank);
        [rank, parent] = [Number(above.rank), above.parent];
      }
    }
  }

  async function checkTrees(): Promise<void> {
    const seen: string[] = [];
    const modelled = (id: string): unknown => [id, model.childrenOf(id).sort().map(modelled)];
    const shape = ({ id, children }: PartNode): unknown => [
      id,
      [...children].sort((a, b) => (a.id < b.id ? -1 : 1)).map(shape),
    ];
    for (const id of [...model.parts.keys()].filter((one) => model.rootOf(one) === one)) {
      const tree = await readProvenance(world.ethers.provider, world.addresses.Provenance, id);
      expect(shape(tree)).to.deep.equal(modelled(id));
      for (const node of partsOf(tree)) {
        seen.push(node.id);
        const whole = model.parts.get(id);
        const { maker } = model.parts.get(node.id) ?? {};
        expect([node.maker, node.custodian, node.state, node.claims.length]).to.deep.equal([
          maker,
          whole?.custodian,
          whole?.state,
          model.claims.get(node.id) ?? 0,
        ]);
      }
    }
    expect(seen.sort()).to.deep.equal([...model.parts.keys()].sort());
  }

  it("each call is refused exactly when the model says so, by that error", async () => {
    for (let step = 0; step < STEPS; step++) {
      const call = draw();
      const expected = model.apply(call);
      expect(await send(call), `step ${step}: ${JSON.stringify(call)}`).to.equal(expected);
      const outcome = `${call.do} ${expected ?? "done"}`;
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      if (step % 50 === 49) {
        await checkViews();
        await checkTrees();
      }
    }
    // The histories are worth something: everything was done, and refused, more than once.
    for (const what of ["assemble", "disassemble", "replace", "handOver", "accept", "cancel", "decommission"]) {
      expect(outcomes.get(`${what} done`) ?? 0, what).to.be.greaterThan(1);
      const refusals = [...outcomes].filter(([name]) => name.startsWith(`${what} Prov`));
      expect(refusals.length, what).to.be.greaterThan(1);
    }
    expect([...model.claims.values()].reduce((a, b) => a + b, 0)).to.be.greaterThan(10);
  });

  it("views and trees say what the model says; no circle, one parent, custody of the root", async () => {
    await checkViews();
    await checkTrees();
    expect([...model.parts.values()].some(({ parent }) => parent !== undefined)).to.equal(true);
  });
});
