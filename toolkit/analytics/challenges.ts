import { QuestionDesk__factory, ResultCourt__factory } from "../contracts.js";
import { toHex } from "../internal/bytes.js";
import type { AnalysisRequest } from "./requests.js";
import type { ResultFault } from "./result-faults.js";
import { type LeafWords, leafWords, type ResultNode } from "./result-tree.js";
import type { PlannedCall } from "./sender.js";
import type { WatchAddresses } from "./watch-book.js";

const court = ResultCourt__factory.createInterface();
const desk = QuestionDesk__factory.createInterface();

/** Faults that one transaction shows, or one question brings to light. */
export type ShownFault = Exclude<ResultFault, { readonly kind: "content-mismatch" | "root-mismatch" }>;

type Where = Pick<WatchAddresses, "Analytics" | "ResultCourt" | "QuestionDesk">;

/**
 * The call that answers a fault: a challenge at the court, or for a partial that doesn't follow from readings a question at the desk.
 *
 * @example
 * const { faults } = await checkResult(data, proposal, sources, 1);
 * await signer.sendTransaction(challengeOf(faults[0], request, addresses));
 */
export function challengeOf(fault: ShownFault, request: AnalysisRequest, addresses: Where): PlannedCall {
  if (fault.kind === "question") {
    const words = leafWords(fault.leaf);
    const data = desk.encodeFunctionData("question", [addresses.Analytics, request, words, fault.place]);
    return { name: "question", to: addresses.QuestionDesk, data };
  }
  const [name, data] = encoded(fault, addresses.Analytics, request);
  return { name, to: addresses.ResultCourt, data };
}

/** The call that demands a leaf. */
export function demandOf(root: ResultNode, index: number, request: AnalysisRequest, addresses: Where): PlannedCall {
  const data = desk.encodeFunctionData("demand", [addresses.Analytics, request, root, BigInt(index)]);
  return { name: "demand", to: addresses.QuestionDesk, data };
}

/** The call that ends an overdue question, or returns what one cost that nobody needs any longer. */
export function settleOf(
  { stamp, subject }: { readonly stamp: string; readonly subject: string },
  request: AnalysisRequest,
  addresses: Where,
): PlannedCall {
  const data = desk.encodeFunctionData("settle", [addresses.Analytics, request, stamp, subject]);
  return { name: "settle", to: addresses.QuestionDesk, data };
}

function encoded(
  fault: Exclude<ShownFault, { readonly kind: "question" }>,
  at: string,
  request: AnalysisRequest,
): [name: string, data: string] {
  switch (fault.kind) {
    case "omission":
    case "ignored-device":
      return missing(fault, at, request);
    case "node": {
      const { place, node, left, right } = fault;
      const [a, b] = [toHex(fault.leftAggregate), toHex(fault.rightAggregate)];
      return [
        "challengeNode",
        court.encodeFunctionData("challengeNode", [at, request, place, node, left, right, a, b]),
      ];
    }
    case "double": {
      const [a, b] = fault.leaves;
      const leaves: [LeafWords, LeafWords] = [leafWords(a), leafWords(b)];
      return ["challengeDouble", court.encodeFunctionData("challengeDouble", [at, request, leaves, fault.fork])];
    }
    default:
      return ofLeaf(fault, at, request);
  }
}

function ofLeaf(
  fault: Extract<ShownFault, { readonly kind: "leaf" | "member" | "spent" | "signature" | "ignored" }>,
  at: string,
  request: AnalysisRequest,
): [name: string, data: string] {
  const { leaf, place } = fault;
  const words = leafWords(leaf);
  switch (fault.kind) {
    case "leaf": {
      const partial = toHex(leaf.partial);
      return [
        "challengeLeaf",
        court.encodeFunctionData("challengeLeaf", [at, request, place, fault.node, words, partial]),
      ];
    }
    case "member":
      return ["challengeMember", court.encodeFunctionData("challengeMember", [at, request, words, place])];
    case "ignored":
      return ["challengeIgnored", court.encodeFunctionData("challengeIgnored", [at, request, words, place])];
    case "spent": {
      const { other, otherLeaf } = fault;
      const otherWords = leafWords(otherLeaf.leaf);
      const data = court.encodeFunctionData("challengeSpent", [
        at,
        request,
        words,
        place,
        other.request,
        otherWords,
        otherLeaf.place,
      ]);
      return ["challengeSpent", data];
    }
    case "signature": {
      const [signer, signature] = leaf.evidence;
      const data = court.encodeFunctionData("challengeSignature", [
        at,
        request,
        words,
        place,
        toHex(signer),
        toHex(signature),
      ]);
      return ["challengeSignature", data];
    }
  }
}

function missing(
  fault: Extract<ShownFault, { readonly kind: "omission" | "ignored-device" }>,
  at: string,
  request: AnalysisRequest,
): [name: string, data: string] {
  const { owner, gap } = fault;
  if (fault.kind === "ignored-device") {
    const data = court.encodeFunctionData("challengeIgnoredDevice", [at, request, owner, fault.device, gap]);
    return ["challengeIgnoredDevice", data];
  }
  const { reading, readingPlace, signer, signature } = fault;
  const data = court.encodeFunctionData("challengeOmission", [
    at,
    request,
    owner,
    gap,
    reading,
    readingPlace,
    toHex(signer),
    toHex(signature),
  ]);
  return ["challengeOmission", data];
}
