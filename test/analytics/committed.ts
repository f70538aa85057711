import { Wallet } from "ethers";
import { Batch } from "../../toolkit/anchoring/batches.js";
import { boundValues, valuesSaltOf } from "../../toolkit/anchoring/zk-values.js";
import { fromHex } from "../../toolkit/internal/bytes.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { type Kept, type Market, raise } from "./market.js";

/** A device's batch in its own log, with the commitment to their values. */
export async function committedBatch(market: Market, k: number, kept: readonly Kept[]) {
  const key = market.keys[k] ?? raise();
  const firstSequence = kept[0]?.reading.sequence ?? 0n;
  const committed = {
    device: key.id,
    firstSequence,
    values: kept.map(({ value }) => value),
    salt: valuesSaltOf(fromHex(secretOf(1, `values-${k}`)), firstSequence),
  };
  const readings = kept.map(({ reading }) => reading);
  const batch = new Batch(readings, market.digests, boundValues(committed));
  const account = new Wallet(secretOf(1, `market-${k}`), market.ethers.provider);
  await market.operator.sendTransaction({ to: account.address, value: 10n ** 18n });
  const { size } = await market.anchor.headOf(account.address);
  await market.anchor.connect(account).append(account.address, size, batch.entry);
  const entryTime = BigInt(await market.networkHelpers.time.latest());
  return { committed, batch, index: size, entryTime };
}
