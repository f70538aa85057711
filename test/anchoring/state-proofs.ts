import { readFileSync } from "node:fs";
import { expect } from "chai";
import solc from "solc";
import { attachState } from "../../toolkit/anchoring/attach.js";
import { type Evidence, EvidenceError } from "../../toolkit/anchoring/evidence.js";
import { readHeader } from "../../toolkit/anchoring/headers.js";
import {
  ANCHOR_SLOTS,
  DEVICE,
  type Fields,
  HEAD,
  ISSUER,
  KEY,
  KIND,
  LOT,
  REGISTRY_SLOTS,
} from "../../toolkit/anchoring/registry-layout.js";
import { proveState, readState, type StateQuestion } from "../../toolkit/anchoring/state-proof.js";
import { toHex } from "../../toolkit/internal/bytes.js";
import { activeLot, type EnrolledLot, keyOf, makerOf } from "../identity/fleet.js";
import { type Deployed, deployed } from "../support.js";
import { anchorReading, gatewayOf } from "./bundles.js";

const key = keyOf("state proof", "p256");
const unborn = keyOf("state proof, unborn");

describe("State proofs", () => {
  let world: Deployed;
  let lot: EnrolledLot;
  let maker: Deployed["operator"];
  let evidence: Evidence;
  const question = (change: Partial<StateQuestion> = {}): StateQuestion => ({
    registry: world.addresses.DeviceRegistry,
    anchor: world.addresses.DataAnchor,
    publisher: gatewayOf(world).address,
    index: evidence.entry.index,
    device: key.id,
    ...change,
  });
  const proved = async (change: Partial<StateQuestion> = {}) => {
    const asked = question(change);
    const { proof, state } = await proveState(world.ethers.provider, asked);
    const { stateRoot } = readHeader(proof.header) ?? expect.fail("no header");
    expect(await readState(stateRoot, proof.nodes, asked)).to.deep.equal(state);
    return { asked, proof, state, stateRoot };
  };

  before(async () => {
    world = await deployed();
    lot = await activeLot(world, [key, keyOf("another")], { unborn: [unborn] });
    maker = makerOf(world);
    for (let k = 0; k < 5; k++) evidence = await anchorReading(world, key);
  });

  it("say what the contracts say, of a device and of a log", async () => {
    await world.registry.connect(maker).stateAssurance(key.id, 1);
    const { state } = await proved();
    const { device } = state;
    const said = await world.registry.deviceOf(key.id);
    expect([device.state, device.kind, BigInt(device.assurance), device.activatedAt, device.stateSince]).to.deep.equal([
      said.state,
      said.kind,
      said.assurance,
      said.activatedAt,
      said.stateSince,
    ]);
    expect(device.lot).to.deep.equal({ id: lot.id, issuer: maker.address, revoked: false });
    expect(device.signer).to.equal(undefined);
    const { size } = await world.anchor.headOf(gatewayOf(world).address);
    expect(state.log.size).to.equal(size);
    expect(toHex(state.log.peak ?? new Uint8Array())).to.equal(await world.anchor.peakOf(gatewayOf(world).address, 0));
  });

  it("say so when there is no device, no entry, no log or no contract", async () => {
    const { state } = await proved({ device: unborn.id, index: 99n });
    expect([state.device.state, state.device.lot, state.log.peak]).to.deep.equal([0n, undefined, undefined]);
    expect((await proved({ publisher: maker.address })).state.log).to.deep.equal({ size: 0n });
    const nowhere = `0x${"00".repeat(19)}99`;
    const none = (await proved({ registry: nowhere, anchor: nowhere })).state;
    expect([none.device.state, none.log.size]).to.deep.equal([0n, 0n]);
    // A contract without that log, and an account without any storage.
    for (const anchor of [world.addresses.ITC, maker.address]) {
      expect((await proved({ anchor })).state.log.size).to.equal(0n);
    }
  });

  it("prove nothing with any node missing or changed", async () => {
    const { asked, proof, stateRoot } = await proved();
    for (const [place, node] of proof.nodes.entries()) {
      const without = proof.nodes.filter((one) => one !== node);
      const changed = proof.nodes.with(place, node.with(node.length - 2, (node.at(-2) ?? 0) ^ 1));
      for (const nodes of [without, changed]) {
        const error = await readState(stateRoot, nodes, asked).then(
          () => undefined,
          (cause: unknown) => cause,
        );
        expect(error, `node ${place}`).to.be.instanceOf(Error);
      }
    }
  });

  it("are made for the block of the entry while the node has its state, and else for the latest", async () => {
    const first = await anchorReading(world, key);
    const block = await world.ethers.provider.getBlockNumber();
    await anchorReading(world, key);
    const headerOf = (of: Evidence) => readHeader(of.state?.header ?? new Uint8Array());
    expect(headerOf(await attachState(first, world.ethers.provider))?.number).to.equal(BigInt(block));
    const pruning = Object.create(world.ethers.provider, {
      send: {
        value: async (method: string, params: unknown[]) => {
          if (method === "eth_getBlockByNumber" && params[0] !== "latest") throw new Error("missing trie node");
          return world.ethers.provider.send(method, params);
        },
      },
    });
    expect(headerOf(await attachState(first, pruning))?.number).to.equal(BigInt(block + 1));
  });

  it("aren't attached to a reading that the log doesn't hold, or didn't yet", async () => {
    const code = (of: Promise<unknown>) =>
      of.then(
        () => "attached",
        (error: unknown) => (error instanceof EvidenceError ? error.code : String(error)),
      );
    const mine = await anchorReading(world, key);
    const block = BigInt(await world.ethers.provider.getBlockNumber());
    expect(await code(attachState(mine, world.ethers.provider, block - 1n))).to.equal("ITC_EVIDENCE_NOT_THERE");
    const other = { ...mine, reading: { ...mine.reading, sequence: 99n } };
    expect(await code(attachState(other, world.ethers.provider))).to.equal("ITC_EVIDENCE_NOT_THERE");
    expect(await code(attachState(mine, world.ethers.provider, block + 1_000n))).to.match(
      /^ITC_EVIDENCE_(HEADER|NODE)$/,
    );
  });

  it("know the slots that solc gives the contracts' storage", () => {
    const { slots, structs } = layoutOf("anchoring/DataAnchor", "identity/DeviceRegistry");
    expect(slots).to.include({ _logs: ANCHOR_SLOTS._logs });
    const { devices, keys, kinds, ...book } = REGISTRY_SLOTS;
    expect(slots).to.include(book);
    const store = slots._devices ?? expect.fail("no _devices");
    expect(structs.Layout).to.include({ devices: devices - store, keys: keys - store, kinds: kinds - store });
    // The head is one value type, whose bits the library's own functions take apart.
    expect(structs.Log).to.include({ head: 0n, peaks: 1n });
    expect(HEAD).to.deep.equal({ size: [0, 8], time: [8, 8] });
    const known: [string, Fields][] = [
      ["Device", DEVICE],
      ["Key", KEY],
      ["Kind", KIND],
      ["Lot", LOT],
      ["Issuer", ISSUER],
    ];
    for (const [name, fields] of known) expect(structs[`${name}.fields`], name).to.deep.include(fields);
  });
});

interface Layout {
  storage: { label: string; slot: string }[];
  types: Record<
    string,
    { label: string; numberOfBytes: string; members?: { label: string; slot: string; offset: number; type: string }[] }
  >;
}

/** Where solc puts what: state variables by name, structs' members by slot, and the members of one-word structs by byte. */
function layoutOf(...contracts: string[]) {
  const read = (path: string) => readFileSync(path.startsWith("@") ? `node_modules/${path}` : path, "utf8");
  const paths = contracts.map((name) => `contracts/${name}.sol`);
  const input = {
    language: "Solidity",
    sources: Object.fromEntries(paths.map((path) => [path, { content: read(path) }])),
    settings: { outputSelection: { "*": { "*": ["storageLayout"] } } },
  };
  const output = JSON.parse(
    solc.compile(JSON.stringify(input), { import: (path: string) => ({ contents: read(path) }) }),
  );
  const slots: Record<string, bigint> = {};
  // biome-ignore lint/suspicious/noExplicitAny: structs' members by slot, and under `.fields` by byte.
  const structs: Record<string, any> = {};
  for (const path of paths) {
    const layout: Layout = output.contracts[path][path.replace(/.*\/|\.sol$/g, "")].storageLayout;
    for (const { label, slot } of layout.storage) slots[label] = BigInt(slot);
    for (const { label, members } of Object.values(layout.types)) {
      if (!members) continue;
      const name = label.replace(/.*[ .]/, "");
      structs[name] = Object.fromEntries(members.map((one) => [one.label, BigInt(one.slot)]));
      structs[`${name}.fields`] = Object.fromEntries(
        members
          .filter(({ slot }) => slot === "0")
          .map((one) => [one.label, [one.offset, Number(layout.types[one.type]?.numberOfBytes)]]),
      );
    }
  }
  return { slots, structs };
}
