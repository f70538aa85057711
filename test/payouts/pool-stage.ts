import { network } from "hardhat";
import { PayoutTree } from "../../toolkit/payouts/payout-tree.js";
import { ITC__factory, PayoutPool__factory } from "../../typechain-types/index.js";

export const PERIOD = 31_536_000n;

/** A pool whose manager is an account of the test, and accounts that can earn. */
export async function openPool() {
  const { ethers, networkHelpers } = await network.create();
  const [manager, stranger, ...accounts] = await ethers.getSigners();
  if (!manager || !stranger) throw new Error("The chain has too few signers.");
  const token = await ethers.deployContract("ITC", [manager.address]);
  const itc = ITC__factory.connect(await token.getAddress(), manager);
  const deployed = await ethers.deployContract("PayoutPool", [await itc.getAddress(), manager.address, PERIOD]);
  const pool = PayoutPool__factory.connect(await deployed.getAddress(), stranger);
  const address = await pool.getAddress();
  await itc.approve(address, 2n ** 256n - 1n);
  const { chainId } = await ethers.provider.getNetwork();
  return { manager, stranger, accounts, itc, pool, address, chainId, ethers, networkHelpers };
}

export type PoolStage = Awaited<ReturnType<typeof openPool>>;

/** Publishes a tree; the pool gets what it promises beyond the tree before. */
export async function publish(
  stage: PoolStage,
  earned: ReadonlyMap<string, bigint>,
  former?: PayoutTree,
): Promise<PayoutTree> {
  const tree = new PayoutTree(earned);
  await stage.pool.connect(stage.manager).publish(tree.root, tree.total - (former?.total ?? 0n));
  return tree;
}

/** What the first accounts of the test have earned, one after the other. */
export function earn(stage: PoolStage, ...amounts: readonly bigint[]): Map<string, bigint> {
  return new Map(amounts.map((amount, k) => [stage.accounts[k]?.address ?? "", amount]));
}

/** A claim by a stranger, of the tree's leaf or of one that was changed. */
export function claim(stage: PoolStage, tree: PayoutTree, account: string, changes: object = {}) {
  const { leaf, path, siblings } = { ...tree.claimOf(account), ...changes };
  return stage.pool.claim(leaf.account, leaf.earned, leaf.before, path, siblings);
}
