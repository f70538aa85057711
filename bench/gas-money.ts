import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import {
  AbiCoder,
  getAddress,
  id,
  keccak256,
  Signature,
  solidityPackedKeccak256,
  TypedDataEncoder,
  ZeroHash,
} from "ethers";
import { AggregateTree, type Contribution, inOrder } from "../toolkit/analytics/aggregate-tree.js";
import { Analytics__factory, ITC__factory, PayoutPool__factory } from "../toolkit/contracts.js";
import type { DeviceId } from "../toolkit/identity/keys.js";
import { toHex } from "../toolkit/internal/bytes.js";
import { PayoutTree } from "../toolkit/payouts/payout-tree.js";
import type { Account } from "../toolkit/testing/chain.js";
import { secretOf } from "../toolkit/testing/fixture.js";
import { Artifact, type Bench, type Measured, mock } from "./rig.js";

const ITC_UNIT = 10n ** 18n;
const NEVER = 4_000_000_000n;
const DAY = 86_400n;

/** Transfers of ITC and of OpenZeppelin's plain token, and an EIP-3009 authorisation. */
export async function measureToken(bench: Bench): Promise<Measured[]> {
  const { operator, addresses } = bench;
  const receiver = await bench.account("receiver");
  const plain = await mock("PlainToken");
  const peer = await bench.deploy(plain.abi, plain.bytecode, [operator.address]);
  const transfer = async (token: string): Promise<number> => {
    await bench.send(operator, token, ITC__factory.abi, "transfer", [receiver.address, 5n * ITC_UNIT]);
    return bench.send(operator, token, ITC__factory.abi, "transfer", [receiver.address, ITC_UNIT]);
  };
  const gas = await transfer(addresses.ITC);
  const beside = { name: "@openzeppelin/contracts ERC20", gas: await transfer(peer), measured: true };
  return [
    { id: "token.transfer", gas, peer: beside },
    { id: "token.transferWithAuthorization", gas: await authorised(bench, receiver) },
  ];
}

/** Claims from pools whose manager is the bench: the code of the pool, without the analyses that fill it. */
export async function measurePayouts(bench: Bench): Promise<Measured[]> {
  const uniswap = { name: "@uniswap/merkle-distributor", gas: await uniswapClaim(bench), measured: true };
  return [
    { id: "payouts.claim.1k", gas: await poolClaim(bench, 1_000), peer: uniswap },
    { id: "payouts.claim.1M", gas: await poolClaim(bench, 1_000_000) },
  ];
}

/** The second epoch's claim of an account that holds ITC. */
async function poolClaim(bench: Bench, accounts: number): Promise<number> {
  const { operator, addresses } = bench;
  const { abi, bytecode } = PayoutPool__factory;
  const manager = await bench.account(`manager of ${accounts}`);
  const pool = await bench.deploy(abi, bytecode, [addresses.ITC, manager.address]);
  await bench.send(operator, addresses.ITC, ITC__factory.abi, "transfer", [manager.address, 3_000_000n * ITC_UNIT]);
  await bench.send(manager, addresses.ITC, ITC__factory.abi, "approve", [pool, 2n ** 256n - 1n]);
  let gas = 0;
  for (const epoch of [1n, 2n]) {
    const tree = new PayoutTree(new Map(Array.from({ length: accounts }, (_, k) => [addressOf(k), epoch * ITC_UNIT])));
    await bench.send(manager, pool, abi, "publish", [tree.root, BigInt(accounts) * ITC_UNIT]);
    const account = addressOf(Math.floor(accounts / 3));
    const { path, siblings } = tree.prove(account);
    gas = await bench.send(operator, pool, abi, "claim", [account, epoch * ITC_UNIT, path, siblings.map(toHex)]);
  }
  return gas;
}

/** A claim from Uniswap's distributor in the like state: a word of its bitmap in use, an account that holds the token. */
async function uniswapClaim(bench: Bench): Promise<number> {
  const { operator, addresses } = bench;
  const path = createRequire(import.meta.url).resolve("@uniswap/merkle-distributor/build/MerkleDistributor.json");
  const { abi, bytecode } = Artifact.parse(JSON.parse(await readFile(path, "utf8")));
  const leaf = (k: number): string =>
    solidityPackedKeccak256(["uint256", "address", "uint256"], [k, addressOf(k), ITC_UNIT]);
  const levels = [Array.from({ length: 1_000 }, (_, k) => leaf(k))];
  for (let level = levels[0] ?? []; level.length > 1; levels.push(level)) level = sortedLevelAbove(level);
  const code = bytecode.startsWith("0x") ? bytecode : `0x${bytecode}`;
  const distributor = await bench.deploy(abi, code, [addresses.ITC, levels.at(-1)?.[0] ?? ZeroHash]);
  await bench.send(operator, addresses.ITC, ITC__factory.abi, "transfer", [distributor, 1_000n * ITC_UNIT]);
  const claim = (k: number) => {
    const proof = levels.slice(0, -1).flatMap((level, height) => level[(k >> height) ^ 1] ?? []);
    return bench.send(operator, distributor, abi, "claim", [k, addressOf(k), ITC_UNIT, proof]);
  };
  await bench.send(operator, addresses.ITC, ITC__factory.abi, "transfer", [addressOf(333), ITC_UNIT]);
  await claim(332);
  return claim(333);
}

/** Uniswap's tree hashes each pair in ascending order; a lone node moves up. */
function sortedLevelAbove(level: readonly string[]): string[] {
  return Array.from({ length: Math.ceil(level.length / 2) }, (_, k) => {
    const [a = ZeroHash, b] = [level[2 * k], level[2 * k + 1]];
    return b === undefined ? a : keccak256(a < b ? a + b.slice(2) : b + a.slice(2));
  });
}

async function authorised(bench: Bench, receiver: Account): Promise<number> {
  const { operator, addresses, chain } = bench;
  const domain = { name: "IoT Chain", version: "1", chainId: chain.id, verifyingContract: addresses.ITC };
  const fields = [
    "address from",
    "address to",
    "uint256 value",
    "uint256 validAfter",
    "uint256 validBefore",
    "bytes32 nonce",
  ];
  const types = {
    TransferWithAuthorization: fields.map((field) => ({
      type: field.split(" ")[0] ?? "",
      name: field.split(" ")[1] ?? "",
    })),
  };
  const said = {
    from: operator.address,
    to: receiver.address,
    value: ITC_UNIT,
    validAfter: 0n,
    validBefore: NEVER,
    nonce: secretOf(1, "nonce"),
  };
  const { v, r, s } = Signature.from(operator.wallet.signingKey.sign(TypedDataEncoder.hash(domain, types, said)));
  const args = [said.from, said.to, said.value, said.validAfter, said.validBefore, said.nonce, v, r, s];
  // The binding overloads the name for signatures as bytes; this is the form of EIP-3009 itself.
  const abi = [
    "function transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)",
  ];
  return bench.send(receiver, addresses.ITC, abi, "transferWithAuthorization", args);
}

function addressOf(k: number): string {
  const word = keccak256(AbiCoder.defaultAbiCoder().encode(["uint256"], [k]));
  return getAddress(`0x${word.slice(26)}`);
}
