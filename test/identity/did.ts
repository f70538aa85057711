import { readFileSync } from "node:fs";
import { expect } from "chai";
import { Contract, ContractFactory, getAddress, type InterfaceAbi, ZeroAddress } from "ethers";
import { network } from "hardhat";
import {
  type DidChange,
  DidError,
  deviceDid,
  documentOf,
  parseDeviceDid,
  type ResolvedDid,
} from "../../toolkit/identity/did.js";
import type { DidViews } from "../../toolkit/identity/did-views.js";
import { toHex } from "../../toolkit/internal/bytes.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { checkHistory, type Dice, type DidDriver, endpointOf, nameOf, validityOf } from "./did-histories.js";

const HISTORIES = 200;
const FOREVER = 2n ** 255n;
const [ALICE = "", BOB = ""] = ["alice", "bob"].map((name) => secretOf(1, name).slice(0, 42));
const DEVICE = parseDeviceDid(`did:ethr:0x1:${secretOf(1, "device").slice(0, 42)}`).device;
const DID = deviceDid(31337n, DEVICE);

const delegate = (type: string, account: string, validTo: bigint): DidChange => {
  return { kind: "delegate", type: nameOf(type), delegate: account, validTo };
};
const attribute = (name: string, value: string, validTo: bigint): DidChange => {
  return { kind: "attribute", name: nameOf(name), value: Buffer.from(value), validTo };
};

describe("did:ethr documents of devices", () => {
  describe("deviceDid, parseDeviceDid", () => {
    it("are each other's inverse", () => {
      for (const chainId of [1n, 31337n, 2n ** 64n - 1n]) {
        expect(parseDeviceDid(deviceDid(chainId, DEVICE.toLowerCase()))).to.deep.equal({ chainId, device: DEVICE });
      }
      expect(deviceDid(31337n, DEVICE)).to.equal(`did:ethr:0x7a69:${DEVICE}`);
    });

    it("refuse any other name for an identity", () => {
      for (const did of [
        "",
        DEVICE,
        `did:ethr:${DEVICE}`,
        `did:ethr:mainnet:${DEVICE}`,
        `did:ethr:0x0:${DEVICE}`,
        `did:ethr:0x07a69:${DEVICE}`,
        `did:ethr:0x7A69:${DEVICE}`,
        `did:ethr:31337:${DEVICE}`,
        `did:ethr:0x1${"0".repeat(16)}:${DEVICE}`,
        `did:ethr:0x7a69:0x02${"ab".repeat(32)}`,
        `did:ethr:0x7a69:${DEVICE.slice(2)}`,
        `did:key:0x7a69:${DEVICE}`,
        ` ${DID}`,
        `${DID}\n`,
        `${DID}#controller`,
        `${DID}?versionId=1`,
      ]) {
        expect(() => parseDeviceDid(did), did)
          .to.throw(DidError)
          .with.property("code", "ITC_DID_MALFORMED");
      }
    });
  });

  describe("documentOf", () => {
    const keysOf = ({ didDocument }: ResolvedDid) =>
      didDocument.verificationMethod.map(({ id }) => id.slice(DID.length));

    it("shows an identity without events as its own controller", () => {
      const id = `${DID}#controller`;
      const account = { type: "EcdsaSecp256k1RecoveryMethod2020", blockchainAccountId: `eip155:31337:${DEVICE}` };
      expect(documentOf(DID, [], 5n)).to.deep.equal({
        didDocument: {
          id: DID,
          verificationMethod: [{ id, controller: DID, ...account }],
          authentication: [id],
          assertionMethod: [id],
        },
        deactivated: false,
      });
    });

    it("numbers keys by all events, and services by theirs", () => {
      const changes = [
        delegate("sigAuth", ALICE, 1n), // 1, over
        delegate("other", ALICE, FOREVER), // 2, of no type that is shown
        attribute("did/pub/Multikey/sigAuth", "key", FOREVER), // 3
        attribute("did/svc/A", "a", 1n), // service 1, over
        attribute("free", "x", FOREVER), // of no section
        delegate("veriKey", BOB, 10n), // 4, in its last second
        attribute("did/svc/B", '{"b":1}', FOREVER), // service 2
        delegate("veriKey", BOB, 9n), // 5, ends it
        delegate("veriKey", BOB, 11n), // 6
      ];
      const resolved = documentOf(DID, changes, 10n);
      expect(keysOf(resolved)).to.deep.equal(["#controller", "#delegate-3", "#delegate-6"]);
      const { authentication, assertionMethod, service } = resolved.didDocument;
      expect(authentication.map((id) => id.slice(DID.length))).to.deep.equal(["#controller", "#delegate-3"]);
      expect(assertionMethod).to.have.length(3);
      expect(service).to.deep.equal([{ id: `${DID}#service-2`, type: "B", serviceEndpoint: { b: 1 } }]);
      expect(keysOf(documentOf(DID, changes.slice(0, 6), 10n))).to.include("#delegate-4");
      expect(keysOf(documentOf(DID, changes.slice(0, 6), 11n))).not.to.include("#delegate-4");
    });

    it("is empty from the end of an identity on, whatever comes after", () => {
      const end: DidChange[] = [delegate("veriKey", ALICE, FOREVER), { kind: "owner", owner: ZeroAddress }];
      const resolved = documentOf(DID, [...end, { kind: "owner", owner: BOB }, ...end.slice(0, 1)], 1n);
      expect(resolved.deactivated).to.equal(true);
      expect(resolved.didDocument).to.deep.equal({
        id: DID,
        verificationMethod: [],
        authentication: [],
        assertionMethod: [],
      });
    });

    it(`is what the unmodified resolver shows, over ${HISTORIES} random histories of the reference registry`, async () => {
      const world = await freshChain();
      const driver = await referenceDriver(world);
      for (let seed = 1; seed <= HISTORIES; seed++) await checkHistory(world, driver, seed);
    });
  });
});

async function freshChain() {
  // First come, first served, so that changes of several senders keep their order within a block.
  const override = { mining: { mempool: { order: "fifo" as const } } };
  const { ethers, provider } = await network.create({ network: "default", chainType: "l1", override });
  return { ethers, provider, chainId: (await ethers.provider.getNetwork()).chainId };
}

interface Account {
  readonly address: string;
  /** Who may change the identity after the transactions that were sent. */
  owner: string;
}

/** The registry that did:ethr has on public networks, from its package. */
async function referenceDriver({ ethers, provider }: Awaited<ReturnType<typeof freshChain>>) {
  const path = "node_modules/ethr-did-registry/artifacts/contracts/EthereumDIDRegistry.sol/EthereumDIDRegistry.json";
  const artifact: { abi: InterfaceAbi; bytecode: string } = JSON.parse(readFileSync(path, "utf8"));
  const [deployer, ...owners] = await ethers.getSigners();
  const deployedAt = await new ContractFactory(artifact.abi, artifact.bytecode, deployer).deploy();
  const address = await deployedAt.getAddress();
  const contract = new Contract(address, artifact.abi, ethers.provider);

  const ask = (method: string, ...params: unknown[]) => provider.request({ method, params });
  const send = async (identity: Account, name: string, ...args: unknown[]): Promise<void> => {
    const data = contract.interface.encodeFunctionData(name, [identity.address, ...args]);
    await ask("eth_sendTransaction", { from: identity.owner, to: address, data, gas: "0x30000" });
  };

  const driver: DidDriver<Account> = {
    contract: contract as unknown as DidViews,
    begin: async (dice) => {
      const identity = { address: fresh(dice), owner: "" };
      identity.owner = identity.address;
      await ask("hardhat_impersonateAccount", identity.address);
      await ask("hardhat_setBalance", identity.address, "0x8ac7230489e80000");
      await ask("evm_mine");
      return { identity, born: [] };
    },
    play: async (identity, dice, time) => {
      const changes: DidChange[] = [];
      for (let count = 1 + dice.below(3); count > 0; count--) {
        const change = changeOf(dice, time, [identity.address, ...owners.slice(0, 3).map(({ address: one }) => one)]);
        await sendChange((name, ...args) => send(identity, name, ...args), change, time);
        changes.push(change);
        // Who has no owner owns itself, for this registry; a resolver shows nothing of it any more.
        if (change.kind === "owner") identity.owner = change.owner === ZeroAddress ? identity.address : change.owner;
      }
      return changes;
    },
  };
  return driver;
}

/** A change that the reference registry can make: additions end from now on, revocations now (delegates) or at 0 (attributes). */
function changeOf(dice: Dice, time: bigint, owners: readonly string[]): DidChange {
  const roll = dice.below(100);
  if (roll < 40) {
    const type = dice.pick("sigAuth", "veriKey", "veriKey", "enc", "");
    const validTo = dice.below(3) === 0 ? time : time + validityOf(dice);
    return { kind: "delegate", type: nameOf(type), delegate: getAddress(dice.address()), validTo };
  }
  if (roll < 88) {
    const [name, value] = attributeOf(dice);
    // The resolver goes on to list an encryption key under keyAgreement when it was revoked; so none is, here.
    const validTo = name.includes("enc") ? FOREVER : dice.below(3) === 0 ? 0n : time + validityOf(dice);
    return { kind: "attribute", name: nameOf(name), value, validTo };
  }
  if (roll < 91) return { kind: "delegate", type: NO_TEXT, delegate: getAddress(dice.address()), validTo: time };
  return { kind: "owner", owner: roll < 98 ? (owners[dice.below(owners.length)] ?? "") : ZeroAddress };
}

const NO_TEXT = new Uint8Array(32).fill(0xff);

function attributeOf(dice: Dice): readonly [name: string, value: Uint8Array] {
  const key = Uint8Array.of(2, dice.below(3), 7);
  return dice.pick<readonly [string, Uint8Array]>(
    ["did/pub/Secp256k1/veriKey/hex", key],
    ["did/pub/Secp256k1/sigAuth", key],
    ["did/pub/Ed25519/sigAuth/base64", key],
    ["did/pub/Ed25519/veriKey/base58", key],
    ["did/pub/X25519/enc/base64", key],
    ["did/pub/RSA/veriKey/pem", dice.pick(key, NO_TEXT)],
    ["did/pub/RSA/sigAuth/odd", key],
    ["did/pub/Multikey/sigAuth", key],
    ["did/pub/Multikey", key],
    ["did/pub/of-no-form", key],
    ["did/svc/Hub", endpointOf(dice)],
    ["did/svc/Hub", endpointOf(dice)],
    ["did/svc/Messages/v2", endpointOf(dice)],
    ["did/svc/of-no-form", endpointOf(dice)],
    ["free", key],
  );
}

async function sendChange(
  send: (name: string, ...args: unknown[]) => Promise<void>,
  change: DidChange,
  time: bigint,
): Promise<void> {
  if (change.kind === "owner") return send("changeOwner(address,address)", change.owner);
  const { validTo } = change;
  if (change.kind === "delegate") {
    const args = [toHex(change.type), change.delegate];
    return validTo === time
      ? send("revokeDelegate(address,bytes32,address)", ...args)
      : send("addDelegate(address,bytes32,address,uint256)", ...args, validTo - time);
  }
  const args = [toHex(change.name), toHex(change.value)];
  return validTo === 0n
    ? send("revokeAttribute(address,bytes32,bytes)", ...args)
    : send("setAttribute(address,bytes32,bytes,uint256)", ...args, validTo - time);
}

function fresh(dice: Dice): string {
  return getAddress(secretOf(dice.below(2 ** 48), "identity").slice(0, 42));
}
