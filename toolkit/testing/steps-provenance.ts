import { installationIdOf, parseEpc, partIdOf, prefixHashOf, serialHashOf } from "../identity/epc.js";
import { epcisDocument } from "../identity/epcis.js";
import { PART_RANKS } from "../identity/part-events.js";
import { type PartNode, partsOf, readProvenance } from "../identity/provenance.js";
import type { PartState } from "./parts.js";
import type { ReportPart } from "./report.js";
import { count } from "./report-format.js";
import type { StepOf } from "./scenario-schema.js";
import { ReplayError, type World } from "./world.js";

/** Commissions parts; a maker claims the prefix of its serials first. */
export async function commission(world: World, step: StepOf<"commission">): Promise<string> {
  const maker = world.account(step.by);
  const designs = (step.designs ?? []).flatMap((name) => world.parts.named(name));
  const isSite = step.rank === "installation";
  const parts = Array.from({ length: step.count }, (_, k): PartState => {
    const serial = step.epc.replace("{n}", String(k + 1));
    return {
      name: step.count === 1 ? step.parts : `${step.parts}-${k + 1}`,
      id: isSite ? installationIdOf(maker.address, serial) : partIdOf(serial),
      serial,
      rank: step.rank,
      maker: step.by,
      custodian: step.by,
      parent: undefined,
      designs,
      device: undefined,
      claims: 0,
      handOvers: 0,
    };
  });
  if (!isSite) await claimPrefix(world, step.by, parseEpc(step.epc.replace("{n}", "1")).prefix);
  for (const part of parts) {
    if (isSite) {
      const args = [serialHashOf(part.serial)];
      await world.send(maker, "Provenance", "commissionInstallation", args, "commission an installation");
    } else await world.send(maker, "Provenance", "commission", goodArgs(part), `commission a part`);
  }
  world.parts.add(step.parts, parts);
  return count(parts.length, step.rank.replace("-", " "));
}

/** The custodian of each design licenses chip makers. */
export async function license(world: World, step: StepOf<"license">): Promise<string> {
  for (const design of step.designs.flatMap((name) => world.parts.named(name))) {
    for (const name of step.to) {
      const args = [design.id, world.account(name).address, true];
      await world.send(world.account(design.custodian), "Provenance", "setLicence", args, "license a design");
    }
  }
  return `${count(step.to.length, "maker")} may include ${step.designs.join(", ")}`;
}

/** The maker says which registered device each part is. */
export async function bind(world: World, step: StepOf<"bind">): Promise<string> {
  const { members } = world.fleet(step.fleet);
  const parts = world.parts.named(step.parts);
  if (members.length < parts.length) {
    const what = `Fleet ${step.fleet} has ${members.length} devices for ${parts.length} parts.`;
    throw new ReplayError("ITC_REPLAY_PARTS", what, "Take a larger source or fewer parts.");
  }
  for (const [k, part] of parts.entries()) {
    const device = members[k]?.device.key.id ?? "";
    await world.send(world.account(part.maker), "Provenance", "bindDevice", [part.id, device], "bind a device");
    part.device = device;
  }
  return `${count(parts.length, "registered key")} in as many parts`;
}

/** Puts parts together, all into one or one by one; what is left over stays out. */
export async function assemble(world: World, step: StepOf<"assemble">): Promise<string> {
  const [parts, wholes] = [world.parts.named(step.parts), world.parts.named(step.into)];
  let put = 0;
  for (const [k, part] of parts.entries()) {
    const whole = wholes.length === 1 ? wholes[0] : wholes[k];
    if (!whole) break;
    const custodian = world.account(world.parts.rootOf(whole).custodian);
    await world.send(custodian, "Provenance", "assemble", [whole.id, part.id], "assemble a part");
    part.parent = whole;
    put += 1;
  }
  return `${count(put, "part")}${put < parts.length ? `, ${parts.length - put} left over` : ""}`;
}

/** Takes a part out and puts another in its place. */
export async function replace(world: World, step: StepOf<"replace">): Promise<string> {
  const [removed] = world.parts.named(step.part);
  const [added] = world.parts.named(step.by);
  const parent = removed?.parent;
  if (!removed || !added || !parent) {
    throw new ReplayError("ITC_REPLAY_PARTS", `Part ${step.part} is in nothing.`, "Assemble it before.");
  }
  const { custodian } = world.parts.rootOf(parent);
  const ids = [parent.id, removed.id, added.id];
  await world.send(world.account(custodian), "Provenance", "replace", ids, "replace a part");
  Object.assign(removed, { parent: undefined, custodian });
  added.parent = parent;
  return `${removed.name} out of ${parent.name}, ${added.name} in`;
}

/** Custodian hands over, receiver accepts. */
export async function handOver(world: World, step: StepOf<"hand-over">): Promise<string> {
  const receiver = world.account(step.to);
  const parts = world.parts.named(step.parts);
  for (const part of parts) {
    const giver = world.account(part.custodian);
    await world.send(giver, "Provenance", "handOver", [part.id, receiver.address], "hand a part over");
    part.handOvers += 1;
    await world.send(receiver, "Provenance", "accept", [part.id, part.handOvers], "accept a part");
    part.custodian = step.to;
  }
  return `${count(parts.length, "part")}, both sides signed`;
}

/** Claims serials that are taken. The contract refuses, and shows it. */
export async function counterfeit(world: World, step: StepOf<"counterfeit">): Promise<string> {
  const parts = world.parts.named(step.parts);
  for (const part of parts) {
    await world.send(world.account(step.by), "Provenance", "commission", goodArgs(part), "claim a taken serial");
    part.claims += 1;
  }
  return `${count(parts.length, "claim")} refused and on record`;
}

/** The custodian ends parts. */
export async function decommission(world: World, step: StepOf<"decommission">): Promise<string> {
  const parts = world.parts.named(step.parts);
  for (const part of parts)
    await world.send(world.account(part.custodian), "Provenance", "decommission", [part.id], "decommission a part");
  return `${count(parts.length, "part")} ended`;
}

/** Reads a tree as a third party, compares it with what was done, and keeps it for the report and as EPCIS. */
export async function trace(world: World, step: StepOf<"trace">): Promise<string> {
  const [start] = world.parts.named(step.part);
  if (!start) throw new ReplayError("ITC_REPLAY_PARTS", `There is no part ${step.part}.`, "Commission it before.");
  const serials = [...world.parts.all()].map(({ serial }) => serial);
  const read = (id: string) => readProvenance(world.chain.reader, world.addresses.Provenance, id, { serials });
  const tree = await read(start.id);
  const nodes = partsOf(tree);
  for (const node of nodes) requireAgreement(world, node);
  const gone = nodes.flatMap((node) => [...formerPartsOf(node)]).filter((id) => !nodes.some((node) => node.id === id));
  const former = await Promise.all([...new Set(gone)].map(read));
  const all = [...new Map([tree, ...former].flatMap(partsOf).map((node) => [node.id, node])).values()];
  world.provenance = { of: start.name, parts: all.map((node) => reportPart(world, node, all)) };
  const place = { chainId: world.chain.id, contract: world.addresses.Provenance };
  const document = epcisDocument(tree, place);
  await world.keepEvidence(`${start.name}.epcis.json`, `${JSON.stringify(document, undefined, 2)}\n`);
  const claims = nodes.reduce((sum, node) => sum + node.claims.length, 0);
  return `${count(nodes.length, "part")}, ${document.epcisBody.eventList.length} EPCIS events, ${count(claims, "wrong claim")}`;
}

async function claimPrefix(world: World, maker: string, prefix: string): Promise<void> {
  if (world.parts.prefixes.has(prefix)) return;
  world.parts.prefixes.add(prefix);
  await world.send(world.account(maker), "Provenance", "claimPrefix", [prefixHashOf(prefix)], "claim a prefix");
}

function goodArgs({ serial, rank, designs }: PartState): unknown[] {
  const ids = designs.map(({ id }) => id).sort();
  return [prefixHashOf(parseEpc(serial).prefix), serialHashOf(serial), PART_RANKS.indexOf(rank), ids];
}

function requireAgreement(world: World, node: PartNode): void {
  const part = world.parts.byId(node.id);
  const expected = part && [
    part.serial,
    world.account(part.maker).address,
    world.account(world.parts.rootOf(part).custodian).address,
    part.device,
    part.claims,
    ...world.parts
      .contentsOf(part)
      .map(({ id }) => id)
      .sort(),
  ];
  const { serial, maker, custodian, device, claims, children } = node;
  const found = [serial, maker, custodian, device, claims.length, ...children.map(({ id }) => id).sort()];
  if (expected && found.length === expected.length && found.every((one, k) => one === expected[k])) return;
  const what = `The traced part ${node.serial ?? node.id} is not as the run has made it.`;
  throw new ReplayError("ITC_REPLAY_PROVENANCE", what, "This is a defect of the contracts or the toolkit: report it.");
}

/** What was taken out of a part. */
function* formerPartsOf({ id, history }: PartNode): Generator<string> {
  for (const event of history) {
    if (event.kind === "replaced" && event.parent === id) yield event.removed;
    if (event.kind === "disassembled" && event.parent === id) yield event.child;
  }
}

function reportPart(world: World, node: PartNode, all: readonly PartNode[]): ReportPart {
  const nameOf = (id: string) => world.parts.byId(id)?.name ?? id;
  const actor = (address: string) => {
    const name = world.nameOf.get(address) ?? address;
    return world.scenario.actors[name]?.title ?? name;
  };
  const holders = all.filter(({ children }) => children.some(({ id }) => id === node.id));
  const former = all.filter((one) => [...formerPartsOf(one)].includes(node.id) && !holders.includes(one));
  return {
    name: nameOf(node.id),
    serial: node.serial ?? node.id,
    rank: node.rank,
    state: node.state,
    maker: actor(node.maker),
    custodian: actor(node.custodian),
    ...(node.device !== undefined && { device: node.device }),
    inside: holders.map(({ id }) => nameOf(id)),
    formerly: former.map(({ id }) => nameOf(id)),
    claims: node.claims.map(({ by }) => actor(by)),
    handOvers: node.history.filter(({ kind }) => kind === "accepted").length,
  };
}
