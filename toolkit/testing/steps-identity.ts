import { deployAll } from "../../deploy/index.js";
import { UNLIMITED } from "../analytics/membership.js";
import { cellOfGeohash } from "../analytics/regions.js";
import { purposeOf } from "../analytics/requests.js";
import { FILE_SCHEMA } from "../anchoring/files.js";
import { schemaIdOf } from "../anchoring/readings.js";
import { signerOf } from "../identity/keys.js";
import { LotTree } from "../identity/lots.js";
import { toHex } from "../internal/bytes.js";
import { VirtualDevice } from "./devices.js";
import { deployTarget, GAS_MONEY } from "./fixture.js";
import type { Fleet, StepOf } from "./scenario-schema.js";
import { type DeviceSeries, loadSource } from "./sources.js";
import { openGateway } from "./steps-data.js";
import { millionths } from "./units.js";
import { budgetKey, type FleetState, type Member, ReplayError, type World } from "./world.js";

/** Seconds for which a device's wish to be activated counts. */
const ACTIVATION_TIME = 86_400n;

/** Deploys the contracts and gives the actors their ITC and ether for gas. */
export async function deploy(world: World): Promise<string> {
  const { chain, scenario } = world;
  const operator = world.account(world.actorOfKind("operator"));
  if (chain.isLocal) await chain.fund(operator.address, GAS_MONEY, operator);
  world.setAddresses(await deployAll(deployTarget(chain, operator)));
  const { itc } = world.contracts;
  if ((await itc.balanceOf(operator.address)) !== (await itc.totalSupply())) {
    const what = "The operator's contracts on this chain have a history that this run doesn't know.";
    throw new ReplayError("ITC_REPLAY_USED", what, "Use another operator's key: addresses follow from it.");
  }
  for (const [name, actor] of Object.entries(scenario.actors)) {
    for (const account of world.accountsOf(name)) {
      if (account !== operator) await chain.fund(account.address, GAS_MONEY, operator);
      if (actor.itc === undefined || account === operator) continue;
      await world.send(operator, "ITC", "transfer", [account.address, actor.itc], "transfer ITC");
    }
  }
  return `${Object.keys(world.addresses).length} contracts, ITC handed out`;
}

/** Lets makers enrol lots. */
export async function register(world: World, step: StepOf<"register">): Promise<string> {
  const registrar = world.account(world.actorOfKind("operator"));
  for (const name of step.issuers) {
    const title = world.scenario.actors[name]?.title ?? name;
    await world.send(
      registrar,
      "DeviceRegistry",
      "registerIssuer",
      [world.account(name).address, title],
      "register an issuer",
    );
  }
  return `${step.issuers.length} makers`;
}

/** Makes each fleet's devices with their keys, and endorses them as one lot. */
export async function enrol(world: World, step: StepOf<"enrol">): Promise<string> {
  let devices = 0;
  for (const name of step.fleets) {
    const fleet = await makeFleet(world, name);
    world.fleets.set(name, fleet);
    if (!world.gateways.has(fleet.spec.gateway)) {
      const account = world.account(fleet.spec.gateway);
      world.gateways.set(fleet.spec.gateway, { account, gateway: await openGateway(world, account) });
    }
    const issuer = world.account(fleet.spec.issuer);
    const { DeviceRegistry } = world.addresses;
    await world.send(issuer, "ITC", "approve", [DeviceRegistry, step.bond * BigInt(fleet.lot.size)], "approve ITC");
    const lot = [fleet.lot.root, fleet.lot.size, fleet.spec.assurance, step.bond];
    await world.send(issuer, "DeviceRegistry", "enrolLot", lot, "enrol a lot");
    devices += fleet.lot.size;
  }
  return `${devices} devices in ${step.fleets.length} lots`;
}

/** Brings devices to life; the gateway pays for the gas. */
export async function activate(world: World, step: StepOf<"activate">): Promise<string> {
  let devices = 0;
  for (const name of step.fleets) {
    const fleet = world.fleet(name);
    for (const member of fleet.members) {
      await activateOne(world, fleet, member);
      world.activated.push(member);
      world.tick(1);
    }
    devices += fleet.members.length;
  }
  return `${devices} devices`;
}

/** Has owners agree to a purpose. */
export async function consent(world: World, step: StepOf<"consent">): Promise<string> {
  const budget = step.budget === undefined ? UNLIMITED : millionths(step.budget);
  const terms = { expiry: (await world.chain.now()) + step.for, cohort: 0n, price: 0n, budget };
  const owners = world.accountsOf(step.owners);
  const purpose = purposeOf(step.purpose);
  for (const owner of owners) {
    await world.send(owner, "ConsentRegistry", "grant", [purpose, terms], "grant consent");
    world.budgets.set(budgetKey(purpose, owner.address), budget);
    world.tick(1);
  }
  return `${owners.length} owners`;
}

/** Has owners take back what they agreed to. Errors: ITC_REPLAY_CONSENT for what they haven't agreed to. */
export async function withdraw(world: World, step: StepOf<"withdraw">): Promise<string> {
  const owners = world.accountsOf(step.owners).slice(0, step.count);
  const purpose = purposeOf(step.purpose);
  for (const owner of owners) {
    if (!world.budgets.delete(budgetKey(purpose, owner.address))) {
      const what = `Owner ${owner.address} of ${step.owners} hasn't agreed to "${step.purpose}".`;
      throw new ReplayError("ITC_REPLAY_CONSENT", what, "Name owners and purpose of a consent step before.");
    }
    await world.send(owner, "ConsentRegistry", "revoke", [purpose], "withdraw consent");
    world.tick(1);
  }
  return `${owners.length} owners`;
}

/** Has owners say in which region their devices stand. */
export async function place(world: World, step: StepOf<"place">): Promise<string> {
  const members = step.fleets.flatMap((name) => world.fleet(name).members);
  await placeDevices(world, members, cellOfGeohash(step.region));
  return `${members.length} devices in ${step.region}`;
}

/** Has each owner place its devices in a cell. */
export async function placeDevices(world: World, members: readonly Member[], cell: bigint): Promise<void> {
  for (const [owner, own] of Map.groupBy(members, (member) => member.owner)) {
    const devices = own.map(({ device }) => device.key.id);
    await world.send(owner, "DeviceRegions", "place", [devices, cell], "place devices");
    world.tick(devices.length);
  }
}

async function activateOne(world: World, fleet: FleetState, { device, owner }: Member): Promise<void> {
  const { key } = device;
  const lot = fleet.lot.idFor(world.account(fleet.spec.issuer).address);
  const deadline = (await world.chain.now()) + ACTIVATION_TIME;
  const signature = device.signActivation(world.digests, { lot, owner: owner.address, deadline });
  const signer = signerOf(key, world.addresses);
  const { path, siblings } = fleet.lot.prove(key.id);
  const args = [lot, toHex(signer), owner.address, toHex(signature), deadline, path, siblings.map(toHex)];
  const what = key.kind === "p256" ? "activate a device (P-256)" : "activate a device (secp256k1)";
  await world.send(world.gateway(fleet.spec.gateway).account, "DeviceRegistry", "activate", args, what);
}

async function makeFleet(world: World, name: string): Promise<FleetState> {
  const { scenario, file } = world;
  const spec = scenario.fleets[name];
  const source = spec?.source === undefined ? undefined : scenario.sources[spec.source];
  if (!spec || (spec.source !== undefined && !source))
    throw new ReplayError("ITC_REPLAY_FLEET", `There is no fleet ${name}.`, "Add it to the scenario.");
  const all = source && spec.source ? await loadSource(spec.source, source, file) : camerasOf(spec);
  const series = all.slice(spec.from ?? 0, spec.count === undefined ? undefined : (spec.from ?? 0) + spec.count);
  if (series.length === 0 || (spec.count !== undefined && series.length < spec.count)) {
    const what = `Fleet ${name} wants ${spec.count ?? "some"} devices from ${spec.from ?? 0} on; source ${spec.source ?? "none"} has ${all.length}.`;
    throw new ReplayError("ITC_REPLAY_FLEET", what, "Shorten the slice.");
  }
  const owners = world.accountsOf(spec.owner);
  const taken = world.memberCount();
  const members = series.map((one, place): Member => {
    const owner = owners[(taken + place) % owners.length];
    if (!owner) throw new ReplayError("ITC_REPLAY_FLEET", `Owner ${spec.owner} has no account.`, "Give it a count.");
    return { device: new VirtualDevice(spec.key, scenario.seed, `${name}:${one.key}`), series: one, owner };
  });
  const lot = new LotTree(members.map(({ device }) => device.key));
  return { name, spec, source, schema: source ? schemaIdOf(source) : FILE_SCHEMA, lot, members };
}

/** Devices that measure nothing, named by their numbers. */
function camerasOf({ count = 0 }: Fleet): DeviceSeries[] {
  return Array.from({ length: count }, (_, k) => ({ key: `camera-${k + 1}`, readings: [] }));
}
