import { expect } from "chai";
import { Aggregator, type MarkedBatch } from "../../toolkit/analytics/aggregator.js";
import { type BuiltResult, buildResult, type ResultSources } from "../../toolkit/analytics/build-result.js";
import { ChainLogs } from "../../toolkit/analytics/chain-logs.js";
import { checkResult } from "../../toolkit/analytics/check-result.js";
import { courtViews } from "../../toolkit/analytics/court-views.js";
import { membersAt } from "../../toolkit/analytics/membership.js";
import { PartialDigests } from "../../toolkit/analytics/partial-digests.js";
import type { AnalysisRequest } from "../../toolkit/analytics/requests.js";
import { contentOfData, writeResultData } from "../../toolkit/analytics/result-data.js";
import type { CheckSources, Placed, ProposalFacts, ResultFault } from "../../toolkit/analytics/result-faults.js";
import { leafWords, nodeDigest, type ResultLeaf, ResultTree } from "../../toolkit/analytics/result-tree.js";
import { toHex } from "../../toolkit/internal/bytes.js";
import { type Anchored, idOf, type Market, pastAnchoring, raise } from "./market.js";

/** A batch of the gateway's log as a source gives it. */
export function batchOf({ batch, publisher, index, entryTime, kept }: Anchored): MarkedBatch {
  const readings = kept.map(({ reading, value, salt }) => {
    const { signature, ...fields } = reading;
    return { reading: fields, measurement: { value, salt }, signature };
  });
  return { publisher, index, entryTime, header: batch.header, readings };
}

/** Aggregates what is on chain, and builds the result as an honest proposer does. */
export async function honest(
  market: Market,
  request: AnalysisRequest,
  batches: readonly MarkedBatch[],
  changes: Partial<ResultSources> = {},
) {
  const { chainId, addresses, ethers, keys } = market;
  const logs = new ChainLogs(ethers.provider, addresses.DataAnchor);
  const aggregator = await Aggregator.open({
    file: ":memory:",
    request: idOf(market, request),
    query: request.query,
    registry: { chainId, registry: addresses.DeviceRegistry },
    witness: { isAnchored: logs.isAnchored, keyOf: (device) => keys.find(({ id }) => id === device) },
  });
  await aggregator.take(batches);
  const sources = await sourcesOf(market, request);
  const built = await buildResult({
    ...{ chainId, analytics: addresses.Analytics, request, digests: sources.digests, members: sources.members ?? [] },
    partialOf: (device, most) => aggregator.partialOf(device, most),
    isSigned: sources.views?.isSigned ?? raise,
    mostProved: 100n,
    ...changes,
  });
  return { aggregator, built, ...sources };
}

/** What a checker asks. */
export async function sourcesOf(market: Market, request: AnalysisRequest) {
  const { chainId, addresses, ethers, analytics } = market;
  const { requestedAt } = await analytics.statusOf(request);
  const views = courtViews(ethers.provider, addresses, request, requestedAt);
  const members = await membersAt(ethers.provider, addresses, request, requestedAt);
  const digests = new PartialDigests({ chainId, analytics: addresses.Analytics });
  return { digests, views, members } satisfies CheckSources;
}

/** Leaves as a proposer may have them, in any order, with the data that belong to them. */
export function claimed(market: Market, request: AnalysisRequest, leaves: readonly ResultLeaf[]) {
  const header = { chainId: market.chainId, analytics: market.addresses.Analytics, request, leaves: leaves.length };
  return { tree: new ResultTree(request.query, leaves, false), data: () => writeResultData(header, leaves) };
}

/** Proposes a tree with its data, and says what the chain then knows. */
export async function proposed(
  market: Market,
  request: AnalysisRequest,
  { tree, data }: Pick<BuiltResult, "tree" | "data">,
): Promise<ProposalFacts> {
  await pastAnchoring(market, request);
  const content = await contentOfData(data());
  const { analytics, proposer, chainId, addresses } = market;
  await analytics.connect(proposer).propose(request, tree.root, toHex(tree.aggregate), content);
  const { proposedAt, proposedBlock } = await analytics.proposalOf(request);
  const root = toHex(nodeDigest(tree.root));
  return { chainId, analytics: addresses.Analytics, request, root, content, proposedAt, proposedBlock };
}

/** Brings a fault to the court that it is for. */
export function challenge(market: Market, request: AnalysisRequest, fault: ResultFault) {
  const court = market.court.connect(market.watcher);
  const at = market.addresses.Analytics;
  const of = ({ leaf, place }: Placed) => [leafWords(leaf), place] as const;
  switch (fault.kind) {
    case "node": {
      const { place, node, left, right, leftAggregate, rightAggregate } = fault;
      return court.challengeNode(at, request, place, node, left, right, toHex(leftAggregate), toHex(rightAggregate));
    }
    case "leaf":
      return court.challengeLeaf(
        at,
        request,
        fault.place,
        fault.node,
        leafWords(fault.leaf),
        toHex(fault.leaf.partial),
      );
    case "member":
      return court.challengeMember(at, request, ...of(fault));
    case "double": {
      const [a, b] = fault.leaves;
      return court.challengeDouble(at, request, [leafWords(a), leafWords(b)], fault.fork);
    }
    case "spent":
      return court.challengeSpent(at, request, ...of(fault), fault.other.request, ...of(fault.otherLeaf));
    case "signature": {
      const [signer, signature] = fault.leaf.evidence;
      return court.challengeSignature(at, request, ...of(fault), toHex(signer), toHex(signature));
    }
    case "omission": {
      const { owner, gap, reading, readingPlace, signer, signature } = fault;
      return court.challengeOmission(at, request, owner, gap, reading, readingPlace, toHex(signer), toHex(signature));
    }
    case "ignored":
      return court.challengeIgnored(at, request, ...of(fault));
    case "ignored-device":
      return court.challengeIgnoredDevice(at, request, fault.owner, fault.device, fault.gap);
    default:
      return raise();
  }
}

/** Proposes leaves, checks them, and has every fault of a kind upheld by the court as the check says. */
export async function upholds(
  market: Market,
  request: AnalysisRequest,
  leaves: readonly ResultLeaf[],
  kind: ResultFault["kind"],
  changes: Partial<CheckSources> = {},
  meanwhile: () => Promise<unknown> = async () => undefined,
): Promise<ResultFault[]> {
  const lie = claimed(market, request, leaves);
  const proposal = await proposed(market, request, lie);
  await meanwhile();
  const sources = { ...(await sourcesOf(market, request)), ...changes };
  const { faults } = await checkResult(lie.data(), proposal, sources);
  expect(faults.map((fault) => fault.kind)).to.include(kind);
  for (const fault of faults) {
    if (!("ruling" in fault)) continue;
    const snapshot = await market.networkHelpers.takeSnapshot();
    await expect(challenge(market, request, fault))
      .to.emit(market.analytics, "ResultRejected")
      .withArgs(idOf(market, request), market.watcher.address, fault.ruling === "slashed");
    await snapshot.restore();
  }
  return [...faults];
}
