/**
 * iotchain: device identity, provable data, payouts. Bytes are `Uint8Array`, amounts and times `bigint` (ITC of 18 decimals, Unix
 * seconds), addresses checksummed strings.
 *
 * @packageDocumentation
 */

export * from "./analytics/aggregator.js";
export * from "./analytics/analytics-error.js";
export * from "./analytics/answer.js";
export * from "./analytics/bloom.js";
export {
  type AttestedPartial,
  type BuiltResult,
  buildResult,
  type EarlierSpend,
  type Obstacle as ResultObstacle,
  obstacleTo,
  type ResultSources,
  type WithheldFor,
} from "./analytics/build-result.js";
export * from "./analytics/carbon.js";
export * from "./analytics/challenges.js";
export * from "./analytics/check-result.js";
export type { Due, OtherResult, Ruling, ShownNode, Verdict as CourtVerdict } from "./analytics/court-model.js";
export * from "./analytics/court-views.js";
export * from "./analytics/data-sources.js";
export * from "./analytics/hyperloglog.js";
export * from "./analytics/membership.js";
export * from "./analytics/noise.js";
export * from "./analytics/owner-nodes.js";
export * from "./analytics/partial-digests.js";
export * from "./analytics/partial-readers.js";
export * from "./analytics/partials.js";
export * from "./analytics/public-aggregator.js";
export * from "./analytics/public-readings.js";
export * from "./analytics/query.js";
export * from "./analytics/readings-folder.js";
export * from "./analytics/readings-format.js";
export * from "./analytics/regions.js";
export * from "./analytics/requests.js";
export * from "./analytics/result-data.js";
export * from "./analytics/result-faults.js";
export * from "./analytics/result-format.js";
export * from "./analytics/result-noise.js";
export * from "./analytics/result-tables.js";
export {
  compareLeaves,
  type Evidence as LeafEvidence,
  encodeRanges,
  evidenceHash,
  type Fork,
  forkOf,
  type Gap,
  isRootOf,
  type LeafWords,
  leafBelow,
  leafNode,
  leafWords,
  nodeDigest,
  Origin,
  type Place,
  type ResultLeaf,
  type ResultNode,
  ResultTree,
  rangesOf,
  type Summary,
  summaryHash,
} from "./analytics/result-tree.js";
export * from "./analytics/roll-data.js";
export * from "./analytics/rolls.js";
export { type Outcome, type PlannedCall, Sender } from "./analytics/sender.js";
export * from "./analytics/shares.js";
export * from "./analytics/watch.js";
export type { WatchAddresses } from "./analytics/watch-book.js";
export type { WatchNote } from "./analytics/watch-notes.js";
export * from "./analytics/zk-answer.js";
export * from "./analytics/zk-prove.js";
export type { ProvableQuery } from "./analytics/zk-statements.js";
export * from "./anchoring/attach.js";
export * from "./anchoring/batches.js";
export * from "./anchoring/committed-batch.js";
export * from "./anchoring/contents.js";
export * from "./anchoring/entries.js";
export * from "./anchoring/evidence.js";
export * from "./anchoring/feeds.js";
export * from "./anchoring/files.js";
export * from "./anchoring/gateway.js";
export type { CommitPolicy, Committing, ProvableBatch } from "./anchoring/gateway-committing.js";
export { GatewayError, messageOf } from "./anchoring/gateway-errors.js";
export type * from "./anchoring/gateway-events.js";
export * from "./anchoring/gateway-messages.js";
export type { GatewayOptions } from "./anchoring/gateway-options.js";
export * from "./anchoring/gateway-receipts.js";
export * from "./anchoring/grant-messages.js";
export * from "./anchoring/grants.js";
export * from "./anchoring/headers.js";
export * from "./anchoring/jwe.js";
export * from "./anchoring/log-reader.js";
export * from "./anchoring/mountain-range.js";
export { onChain, type ReadingFields, type ReadingPlace } from "./anchoring/on-chain.js";
export * from "./anchoring/payload-check.js";
export * from "./anchoring/readings.js";
export * from "./anchoring/sealing.js";
export * from "./anchoring/senml.js";
export * from "./anchoring/senml-resolve.js";
export * from "./anchoring/senml-units.js";
export * from "./anchoring/state-proof.js";
export * from "./anchoring/verify.js";
export { type TrustedBlock, verifyLight } from "./anchoring/verify-light.js";
export {
  boundValues,
  type CommittedValues,
  commitValues,
  isCommittable,
  valuesSaltOf,
  ZkError,
} from "./anchoring/zk-values.js";
export * from "./device-abi.js";
export { IotchainError } from "./errors.js";
export * from "./identity/attestation.js";
export * from "./identity/attestation-results.js";
export * from "./identity/claims.js";
export * from "./identity/credential.js";
export * from "./identity/did.js";
export * from "./identity/did-views.js";
export * from "./identity/digests.js";
export * from "./identity/epc.js";
export * from "./identity/epcis.js";
export * from "./identity/keys.js";
export * from "./identity/lots.js";
export * from "./identity/provenance.js";
export { type Decimal, type DecimalInput, decimalOf, decimalText } from "./internal/decimals.js";
export {
  climb,
  climbMany,
  leafHash,
  type MerkleProof,
  MerkleTree,
  nodeHash,
  verify as verifyProof,
} from "./internal/merkle.js";
export * from "./payouts/payout-directions.js";
export * from "./payouts/payout-list.js";
export * from "./payouts/payout-tree.js";
export { decodeRevert, RevertedError, revertDataOf } from "./reverts.js";
