import { type Log, type LogDescription, zeroPadValue } from "ethers";
import { IERC1056__factory } from "../../typechain-types/index.js";
import type { Deployed } from "../support.js";

const erc1056 = IERC1056__factory.createInterface();

/** One ERC-1056 event, and the block that holds it. */
export interface Change {
  readonly block: bigint;
  readonly name: string;
  readonly previous: bigint;
  readonly args: LogDescription["args"];
}

/** All logs of the registry that a did:ethr resolver would be given for a device in these blocks. */
export async function logsOf(world: Deployed, device: string, from: bigint, to: bigint): Promise<Log[]> {
  const topics = [null, zeroPadValue(device, 32)];
  const address = world.addresses.DeviceRegistry;
  return world.ethers.provider.getLogs({ address, topics, fromBlock: from, toBlock: to });
}

/** The ERC-1056 events of a device in these blocks; other events that have it in topic 1 are left out. */
export async function changesOf(world: Deployed, device: string, from: bigint, to: bigint): Promise<Change[]> {
  return (await logsOf(world, device, from, to)).flatMap((log) => {
    const parsed = erc1056.parseLog(log);
    if (!parsed) return [];
    return [
      { block: BigInt(log.blockNumber), name: parsed.name, previous: parsed.args.previousChange, args: parsed.args },
    ];
  });
}

/** What following `changed` and `previousChange` finds, oldest first: as a resolver walks, block by block. */
export async function walk(world: Deployed, device: string): Promise<Change[]> {
  const found: Change[] = [];
  for (let block: bigint = await world.registry.changed(device); block !== 0n; ) {
    const here = await changesOf(world, device, block, block);
    if (here.length === 0) throw new Error(`Block ${block} holds no change of ${device}.`);
    found.unshift(...here);
    const at = block;
    block = here.map(({ previous }) => previous).find((previous) => previous < at) ?? 0n;
  }
  return found;
}
