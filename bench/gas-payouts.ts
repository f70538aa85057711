import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { AbiCoder, getAddress, type InterfaceAbi, id, keccak256, solidityPackedKeccak256, ZeroHash } from "ethers";
import { ITC__factory, PayoutLists__factory, PayoutPool__factory } from "../toolkit/contracts.js";
import { payoutList } from "../toolkit/payouts/payout-list.js";
import { PayoutTree } from "../toolkit/payouts/payout-tree.js";
import { Artifact, type Bench, type Measured, mock } from "./rig.js";

const ITC_UNIT = 10n ** 18n;
const YEAR = 31_536_000n;
const DAY = 86_400n;
const EVERYTHING = 2n ** 256n - 1n;

/** Claims from pools whose manager is the bench, and a list pushed: the code that pays, without the analyses that fill it. */
export async function measurePayouts(bench: Bench): Promise<Measured[]> {
  const uniswap = { name: "@uniswap/merkle-distributor", gas: await uniswapClaim(bench), measured: true };
  const [one, batch] = await poolClaims(bench, 1_000);
  const [oneOfMany] = await poolClaims(bench, 1_000_000);
  const { pushed, looped } = await push(bench);
  const loop = { name: "a plain loop of transfers", gas: looped, measured: true };
  return [
    { id: "payouts.claim.1k", gas: one, peer: uniswap },
    { id: "payouts.claim.1M", gas: oneOfMany },
    { id: "payouts.claimBatch100.each", gas: batch, peer: uniswap },
    { id: "payouts.push100.each", gas: pushed, peer: loop },
  ];
}

/** The second epoch's claim of an account that holds ITC, and the same of 100 others at once, each. */
async function poolClaims(bench: Bench, accounts: number): Promise<[one: number, each: number]> {
  const { operator, addresses } = bench;
  const { abi, bytecode } = PayoutPool__factory;
  const manager = await bench.account(`manager of ${accounts}`);
  const pool = await bench.deploy(abi, bytecode, [addresses.ITC, manager.address, YEAR]);
  await bench.send(operator, addresses.ITC, ITC__factory.abi, "transfer", [manager.address, 3_000_000n * ITC_UNIT]);
  await bench.send(manager, addresses.ITC, ITC__factory.abi, "approve", [pool, EVERYTHING]);
  let [one, many] = [0, 0];
  for (const epoch of [1n, 2n]) {
    const tree = new PayoutTree(new Map(Array.from({ length: accounts }, (_, k) => [addressOf(k), epoch * ITC_UNIT])));
    await bench.send(manager, pool, abi, "publish", [tree.root, BigInt(accounts) * ITC_UNIT]);
    const { leaf, path, siblings } = tree.claimOf(addressOf(Math.floor(accounts / 3)));
    one = await bench.send(operator, pool, abi, "claim", [leaf.account, leaf.earned, leaf.before, path, siblings]);
    const others = Array.from({ length: 100 }, (_, k) => addressOf(Math.floor((accounts / 100) * k)));
    many = await bench.send(operator, pool, abi, "claimBatch", [tree.batchOf(others)]);
  }
  return [one, Math.round(many / 100)];
}

/** A list of 100 accounts that hold ITC, pushed; and a contract that does no more than to transfer to them. Each. */
async function push(bench: Bench): Promise<{ pushed: number; looped: number }> {
  const { operator, addresses, chain } = bench;
  const [results, loop] = [await mock("PlainResults"), await mock("PlainLoop")];
  const source = await bench.deploy(results.abi, results.bytecode, []);
  const looper = await bench.deploy(loop.abi, loop.bytecode, []);
  const { abi, bytecode } = PayoutLists__factory;
  const lists = await bench.deploy(abi, bytecode, [addresses.ITC, YEAR, DAY, ITC_UNIT]);
  const call = (to: string, of: InterfaceAbi, method: string, args: readonly unknown[]) =>
    bench.send(operator, to, of, method, args);
  for (const holder of [source, looper])
    await call(addresses.ITC, ITC__factory.abi, "transfer", [holder, 1_000n * ITC_UNIT]);
  await call(addresses.ITC, ITC__factory.abi, "approve", [lists, EVERYTHING]);
  const shares = new Map(Array.from({ length: 100 }, (_, k) => [addressOf(2_000_000 + k), ITC_UNIT + BigInt(k)]));
  const pay = [addresses.ITC, [...shares.keys()], [...shares.values()]];
  await call(looper, loop.abi, "pay", pay);
  const looped = await call(looper, loop.abi, "pay", pay);
  const words = payoutList(shares);
  const reward = 101n * ITC_UNIT;
  await call(source, results.abi, "setResult", [id("pushed"), true, id("root"), 100n]);
  await call(source, results.abi, "hand", [addresses.ITC, lists, id("pushed"), operator.address, reward, reward]);
  const rolled = await call(lists, abi, "rollList", [source, id("pushed"), words]);
  console.error(`a list of 100 proposed, each ${Math.round(rolled / 100)}`);
  await chain.wait(DAY + 1n);
  const pushed = await call(lists, abi, "push", [source, id("pushed"), words]);
  return { pushed: Math.round(pushed / 100), looped: Math.round(looped / 100) };
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

function addressOf(k: number): string {
  const word = keccak256(AbiCoder.defaultAbiCoder().encode(["uint256"], [k]));
  return getAddress(`0x${word.slice(26)}`);
}
