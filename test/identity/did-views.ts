import { expect } from "chai";
import { AbiCoder, type Provider, ZeroAddress } from "ethers";
import { DeviceRegistry__factory } from "../../toolkit/contracts.js";
import { type AttributeChange, DidError, deviceDid } from "../../toolkit/identity/did.js";
import {
  attributesDigest,
  type DidViews,
  documentFromViews,
  type Presented,
  presentationOf,
} from "../../toolkit/identity/did-views.js";
import { deviceIdOf } from "../../toolkit/identity/keys.js";
import { concat, fromHex, keccak256, toHex } from "../../toolkit/internal/bytes.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { nameOf } from "./did-histories.js";
import { keyOf } from "./fleet.js";

const NOW = 1000n;
const FOREVER = 2n ** 256n - 1n;
const VERIFIERS = ["none", "p256", "rsa", "erc1271", "later"].map((name) => secretOf(3, name).slice(0, 42));
const MULTICODECS = ["0x", "0x8024", "0x8524", "0x", "0x1207"];
const OWNER = keyOf("views-owner").id;
const REGISTRY = keyOf("views-registry").id;
const account = keyOf("views-account");
const secure = keyOf("views-secure", "p256");
const modulus = new Uint8Array(256).fill(0xab);
const rsa = fromHex(AbiCoder.defaultAbiCoder().encode(["bytes", "bytes"], ["0x010001", modulus]));

/** What the registry holds of one device. */
interface State {
  device: string;
  owner: string;
  kind: number;
  hash: string;
  number: bigint;
  delegates: [type: string, account: string, validTo: bigint, number: bigint][];
  attributes: AttributeChange[];
  changed: bigint;
  logs: Log[];
}

interface Log {
  topics: readonly string[];
  data: string;
  index: number;
}

/** The registry's views over a state, at block 7 of chain 31337. */
function viewsOf(state: State, blocks = new Set([7])): DidViews {
  const provider = {
    getNetwork: async () => ({ chainId: 31337n }),
    getBlockNumber: async () => 7,
    getBlock: async (tag: number | string) => {
      const number = tag === "latest" ? 7 : Number(tag);
      return blocks.has(number) ? { number, timestamp: Number(NOW) } : null;
    },
    getLogs: async ({ fromBlock }: { fromBlock: number }) => state.logs.filter((log) => blockOf(log) === fromBlock),
  };
  const at = <T>(answer: T, { blockTag }: { blockTag: number }): T => {
    expect(blockTag).to.equal(7);
    return answer;
  };
  return {
    runner: { provider: provider as unknown as Provider },
    getAddress: async () => REGISTRY,
    changed: async (_device, tag) => at(state.changed, tag),
    identityOwner: async (_device, tag) => at(state.owner, tag),
    keyOf: async (_device, tag) => at([state.hash, state.number], tag),
    keyKindOf: async (kind, tag) => at([VERIFIERS[Number(kind)] ?? "", MULTICODECS[Number(kind)] ?? ""], tag),
    deviceOf: async (_device, tag) => at([1n, BigInt(state.kind)], tag),
    delegatesOf: async (_device, tag) => {
      const column = <K extends 0 | 1 | 2 | 3>(k: K) => state.delegates.map((one) => one[k]);
      return at([column(0), column(1), column(2), column(3)], tag);
    },
    attributesOf: async (_device, tag) => at(attributesDigest(state.attributes), tag),
  };
}

const FIRST = `0x${"00".repeat(30)}`;
const stateOf = (changed: Partial<State> = {}): State => {
  const first = { device: account.id, owner: OWNER, kind: 0, hash: FIRST, number: 1n };
  return { ...first, delegates: [], attributes: [], changed: 0n, logs: [], ...changed };
};
const signerOfKind = (kind: number, key: Uint8Array) => concat(fromHex(VERIFIERS[kind] ?? ""), key);
const hashOf = (signer: Uint8Array) => toHex(keccak256(signer)).slice(0, 62);
const service = (name: string, value: string, validTo = FOREVER): AttributeChange => {
  return { name: nameOf(name), value: Buffer.from(value), validTo };
};
const attributes = [
  service("did/svc/A", "a"),
  service("did/svc/B", "b", NOW),
  service("did/svc/A", "a", NOW - 1n),
  service("free", "c"),
  service("did/svc/C", '["d"]'),
];

/** The key that the document shows under a number, and the code of a refusal. */
async function shown(state: State, presented: Partial<Presented>) {
  const { didDocument } = await documentFromViews(viewsOf(state), state.device, presentedOf(presented));
  const did = deviceDid(31337n, state.device);
  expect(didDocument.authentication).to.deep.equal([`${did}#controller`, `${did}#delegate-${state.number}`]);
  const { id, controller, ...key } = didDocument.verificationMethod[1] ?? { id: "", controller: "" };
  expect([id, controller]).to.deep.equal([`${did}#delegate-${state.number}`, did]);
  return key;
}

const presentedOf = (changed: Partial<Presented>): Presented => ({
  signer: fromHex(account.id),
  attributes: [],
  ...changed,
});

async function codeOf(answer: Promise<unknown>): Promise<string> {
  const error: unknown = await answer.catch((cause: unknown) => cause);
  return error instanceof DidError ? error.code : `answered ${String(error)}`;
}

describe("DID documents from views alone", () => {
  const recovery = (of: string) => {
    return { type: "EcdsaSecp256k1RecoveryMethod2020", blockchainAccountId: `eip155:31337:${of}` };
  };
  const multikey = (value: Uint8Array) => ({ type: "Multikey", publicKeyHex: toHex(value).slice(2) });
  const compressed = concat(Uint8Array.of(2 + ((secure.material[63] ?? 0) & 1)), secure.material.subarray(0, 32));

  describe("documentFromViews", () => {
    const kinds = (later: Uint8Array): [kind: number, key: Uint8Array, shown: object][] => [
      [1, secure.material, multikey(concat(Uint8Array.of(0x80, 0x24), compressed))],
      [2, rsa, multikey(concat(fromHex("85243082010a0282010100"), modulus, fromHex("0203010001")))],
      [3, fromHex(OWNER), recovery(OWNER)],
      [4, later, multikey(concat(fromHex("1207"), later))],
    ];

    it("shows the first key of each kind from its commitment in the id", async () => {
      expect(await shown(stateOf(), {})).to.deep.equal(recovery(account.id));
      for (const [kind, key, expected] of kinds(new Uint8Array(64).fill(5))) {
        const state = stateOf({ kind, device: deviceIdOf(key) });
        expect(await shown(state, { signer: signerOfKind(kind, key) }), String(kind)).to.deep.equal(expected);
      }
    });

    it("shows a later key from its hash", async () => {
      const signer = fromHex(OWNER);
      expect(await shown(stateOf({ hash: hashOf(signer), number: 5n }), { signer })).to.deep.equal(recovery(OWNER));
      for (const [kind, key, expected] of kinds(new Uint8Array(1))) {
        const later = signerOfKind(kind, key);
        const state = stateOf({ kind, hash: hashOf(later), number: 65_535n });
        expect(await shown(state, { signer: later }), String(kind)).to.deep.equal(expected);
      }
    });

    it("shows no key when none holds, delegates in force, services in force", async () => {
      const delegates: State["delegates"] = [
        [toHex(nameOf("veriKey")), OWNER, FOREVER, 9n],
        [toHex(nameOf("veriKey")), REGISTRY, NOW, 4n],
        [toHex(nameOf("veriKey")), account.id, NOW - 1n, 5n],
        [toHex(nameOf("other")), account.id, FOREVER, 6n],
      ];
      const views = viewsOf(stateOf({ number: 0n, delegates, attributes }));
      const { block, time, deactivated, didDocument } = await documentFromViews(
        views,
        account.id,
        presentedOf({ signer: new Uint8Array(), attributes }),
      );
      expect([block, time, deactivated]).to.deep.equal([7, NOW, false]);
      const did = deviceDid(31337n, account.id);
      const ids = ["#controller", "#delegate-4", "#delegate-9"].map((fragment) => did + fragment);
      expect(didDocument).to.deep.equal({
        id: did,
        verificationMethod: [OWNER, REGISTRY, OWNER].map((of, k) => ({
          id: ids[k],
          controller: did,
          ...recovery(of),
        })),
        authentication: ids.slice(0, 1),
        assertionMethod: ids,
        service: [
          { id: `${did}#service-2`, type: "B", serviceEndpoint: "b" },
          { id: `${did}#service-4`, type: "C", serviceEndpoint: ["d"] },
        ],
      });
    });

    it("shows an identity at its end, and one that never was active", async () => {
      const ended = viewsOf(stateOf({ owner: ZeroAddress, number: 0n }));
      const { deactivated, didDocument } = await documentFromViews(ended, account.id, presentedOf({}));
      expect([deactivated, didDocument.verificationMethod]).to.deep.equal([true, []]);
      const unborn = viewsOf(stateOf({ owner: account.id, number: 0n }));
      const none = await documentFromViews(unborn, account.id, presentedOf({ signer: new Uint8Array() }));
      expect([none.deactivated, none.didDocument.verificationMethod.length]).to.deep.equal([false, 1]);
    });

    it("refuses a key that isn't the present one, or is judged by another verifier", async () => {
      const p256 = { kind: 1, device: secure.id };
      const right = signerOfKind(1, secure.material);
      const rotated = stateOf({ kind: 1, hash: hashOf(right) });
      for (const [state, signer] of [
        [stateOf(), fromHex(OWNER)],
        [stateOf(), new Uint8Array()],
        [stateOf(), concat(fromHex(account.id), Uint8Array.of(0))],
        [stateOf({ number: 0n }), fromHex(account.id)],
        [stateOf(p256), signerOfKind(2, secure.material)],
        [stateOf(p256), secure.material],
        [stateOf(p256), fromHex(secure.id)],
        [stateOf(p256), concat(right, Uint8Array.of(0))],
        [stateOf({ ...p256, kind: 0 }), right],
        [rotated, signerOfKind(1, keyOf("other", "p256").material)],
        [rotated, fromHex(account.id)],
        [stateOf({ ...rotated, kind: 2 }), right],
        [stateOf({ hash: hashOf(fromHex(OWNER)) }), fromHex(account.id)],
      ] as const) {
        const answer = documentFromViews(viewsOf(state), state.device, presentedOf({ signer }));
        expect(await codeOf(answer), toHex(signer)).to.equal("ITC_DID_KEY");
      }
    });

    it("refuses attributes that are left out, added, moved or changed", async () => {
      const views = viewsOf(stateOf({ attributes }));
      const refused = (list: readonly AttributeChange[]) =>
        codeOf(documentFromViews(views, account.id, presentedOf({ attributes: list })));
      expect(await refused(attributes)).to.match(/^answered/);
      const [first = service("", ""), second = first, ...rest] = attributes;
      for (const list of [
        [],
        attributes.slice(1),
        attributes.slice(0, -1),
        [...attributes, first],
        [second, first, ...rest],
        [{ ...first, name: nameOf("did/svc/Z") }, second, ...rest],
        [{ ...first, name: first.name.subarray(1) }, second, ...rest],
        [{ ...first, value: Buffer.from("z") }, second, ...rest],
        [{ ...first, validTo: first.validTo - 1n }, second, ...rest],
      ]) {
        expect(await refused(list)).to.equal("ITC_DID_ATTRIBUTES");
      }
    });

    it("needs a node and a block that there is", async () => {
      const views = viewsOf(stateOf());
      const alone = { ...views, runner: null };
      expect(await codeOf(documentFromViews(alone, account.id, presentedOf({})))).to.equal("ITC_DID_NO_NODE");
      expect(await codeOf(documentFromViews(views, account.id, presentedOf({}), 8))).to.equal("ITC_DID_NO_BLOCK");
    });
  });

  describe("presentationOf", () => {
    const events = DeviceRegistry__factory.createInterface();
    const log = (index: number, name: "DIDOwnerChanged" | "DIDAttributeChanged", args: unknown[]): Log => ({
      ...events.encodeEventLog(events.getEvent(name), args),
      index,
    });
    const set = (index: number, { name, value, validTo }: AttributeChange, previous: number) =>
      log(index, "DIDAttributeChanged", [account.id, name, value, validTo, previous]);
    const key = { name: nameOf("did/pub/Multikey/sigAuth"), value: new Uint8Array(35), validTo: FOREVER };
    const [first = key, second = key, third = key] = attributes;
    /** Blocks 2, 5 and 7: born with a key, one change, two changes. */
    const history = (): Log[] => [
      log(20, "DIDOwnerChanged", [account.id, OWNER, 0]),
      set(21, key, 2),
      set(50, first, 2),
      set(70, second, 5),
      set(71, third, 7),
    ];
    const present = (changed: Partial<State>) => {
      const state = stateOf({ changed: 7n, logs: history(), attributes: [first, second, third], ...changed });
      return presentationOf(viewsOf(state), account.id, fromHex(account.id));
    };

    it("reads all attributes from the chain of changes", async () => {
      const { signer, attributes: read } = await present({});
      expect(toHex(signer)).to.equal(account.id.toLowerCase());
      expect(read.map(({ name, value, validTo }) => [toHex(name), toHex(value), validTo])).to.deep.equal(
        [first, second, third].map(({ name, value, validTo }) => [toHex(name), toHex(value), validTo]),
      );
      expect((await present({ logs: history().reverse() })).attributes).to.deep.equal(read);
      expect((await present({ changed: 0n, attributes: [] })).attributes).to.deep.equal([]);
    });

    it("refuses a node that leaves out, adds or reorders events", async () => {
      const [owner, born, one, two, three] = history();
      if (!owner || !born || !one || !two || !three) throw new Error("No history.");
      const broken = [
        [owner, born, two, three],
        [owner, born, one, three],
        [owner, born, one],
        [],
        [born, one, two, three],
        [owner, born, one, set(70, second, 7), three],
        [owner, born, one, set(70, second, 8), three],
        [owner, born, one, two, set(71, third, 5)],
        [owner, born, { ...one, topics: [], data: "0x" }, two, three],
      ];
      for (const logs of broken) expect(await codeOf(present({ logs }))).to.equal("ITC_DID_HISTORY");
      expect(await codeOf(present({ changed: 8n }))).to.equal("ITC_DID_HISTORY");
      const wrong = [
        [owner, born, one, two],
        [owner, born, one, two, three, set(72, first, 7)],
        [owner, born, one, set(70, third, 5), set(71, second, 7)],
        [owner, born, set(50, second, 2), two, three],
      ];
      for (const logs of wrong) expect(await codeOf(present({ logs }))).to.equal("ITC_DID_ATTRIBUTES");
    });

    it("ends for a node that makes up a history without end", async () => {
      const views = viewsOf(stateOf({ changed: 2n ** 40n }));
      const { topics, data } = set(1, first, 0);
      const before = (block: number) =>
        data.slice(0, 2 + 64 * 3) + block.toString(16).padStart(64, "0") + data.slice(2 + 64 * 4);
      const endless = async ({ fromBlock }: { fromBlock: number }) => [
        { topics, index: 1, data: before(fromBlock - 1) },
      ];
      const provider = { getBlockNumber: async () => 2 ** 40, getLogs: endless } as unknown as Provider;
      const lying = { ...views, runner: { provider }, changed: async () => 2n ** 40n };
      expect(await codeOf(presentationOf(lying, account.id, new Uint8Array(), 500))).to.equal("ITC_DID_HISTORY");
    });
  });
});

function blockOf({ index }: Log): number {
  return Math.floor(index / 10);
}
