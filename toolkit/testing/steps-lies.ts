import { formatEther } from "ethers";
import { Answerer, type OpenReading } from "../analytics/answer.js";
import { challengeOf } from "../analytics/challenges.js";
import type { DevicePartial } from "../analytics/pieces.js";
import { Origin } from "../analytics/result-tree.js";
import { Watchtower } from "../analytics/watch.js";
import { WatchBook } from "../analytics/watch-book.js";
import type { WatchNote } from "../analytics/watch-notes.js";
import { onChain } from "../anchoring/on-chain.js";
import { QuestionDesk__factory } from "../contracts.js";
import { signerOf } from "../identity/keys.js";
import { sameBytes, toHex } from "../internal/bytes.js";
import { ChainSigner } from "./chain-signer.js";
import { Ledger } from "./ledger.js";
import { noteFallen, type ProposalState, standing } from "./proposals.js";
import { count, formatItc, formatItcChange } from "./report-format.js";
import { withAggregator } from "./results.js";
import type { StepOf } from "./scenario-schema.js";
import { ReplayError, type World } from "./world.js";

/** More than any lie needs; what stands then, stands. */
const MOST_ROUNDS = 60;

/**
 * Lets a watchtower look at all proposals, with the readings that their owners opened, until there is nothing left to do or to wait for. Each
 * proposer answers what it can meanwhile.
 */
export async function watch(world: World, step: StepOf<"watch">): Promise<string> {
  const { chain, addresses, shelf } = world;
  const account = world.account(step.by);
  const before = await world.contracts.itc.balanceOf(account.address);
  const proposals = standing(world);
  for (const { proposal } of proposals) proposal.isWatched = true;
  const signer = new ChainSigner(chain, account);
  const partials = await ownPartials(world);
  const tower = new Watchtower({
    provider: chain.reader,
    signer,
    addresses,
    dataOf: shelf.source,
    most: before,
    patience: 0n,
    readings: async (id) => ({
      partialOf: (device) => partials.get(`${id} ${device.toLowerCase()}`),
      readingOf: async (device) => openReadings(world, id, device)[0],
    }),
  });
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const sent = noteCalls(world, step.by, signer, await tower.round());
    if (sent + (await answerAll(world)) > 0) continue;
    const due = await nextDue(world);
    if (due === undefined) break;
    const now = await chain.now();
    if (due >= now) await chain.wait(due - now + 1n);
  }
  const fallen = await noteFallen(world);
  const [lie] = standing(world).filter(({ proposal }) => proposal.lie !== undefined);
  if (lie) {
    const what = `The lie ${lie.proposal.lie} about ${lie.state.name} still stands after ${step.by} has watched.`;
    throw new ReplayError("ITC_REPLAY_LIE", what, "Give the watcher ITC for deposits, and let it watch in the window.");
  }
  const earned = (await world.contracts.itc.balanceOf(account.address)) - before;
  return `${count(proposals.length, "proposal")} looked at; ${fallen.map(fallOf).join(", ") || "none fell"}; ${formatItcChange("0", formatEther(earned))} ITC`;
}

/** Asks for the readings behind a partial, whether there is a reason or not. */
export async function question(world: World, step: StepOf<"question">): Promise<string> {
  const account = world.account(step.by);
  const found = standing(world).find(({ state }) => state.name === step.request);
  if (!found) {
    const what = `No proposal for ${step.request} stands.`;
    throw new ReplayError("ITC_REPLAY_ORDER", what, "Propose it before, and question it before it is final.");
  }
  const { proposal, state } = found;
  const devices = new Set(world.fleet(step.fleet).members.map(({ device }) => device.key.id.toLowerCase()));
  const index = proposal.tree.leaves.findIndex(
    ({ origin, device }) => origin === Origin.Proved && devices.has(device.toLowerCase()),
  );
  const leaf = proposal.tree.leaves[index];
  if (!leaf) {
    const what = `The proposal for ${step.request} has no proved partial of ${step.fleet}.`;
    throw new ReplayError(
      "ITC_REPLAY_QUESTION",
      what,
      "Name a fleet that has few readings in a request without noise.",
    );
  }
  const { addresses, chain } = world;
  const deposit = await QuestionDesk__factory.connect(addresses.QuestionDesk, chain.reader).deposit();
  await world.send(account, "ITC", "approve", [addresses.QuestionDesk, deposit], "approve ITC");
  const fault = { kind: "question", why: "", leaf, place: proposal.tree.place(index) } as const;
  const call = challengeOf(fault, state.request, addresses);
  const signer = new ChainSigner(chain, account);
  const { hash } = await signer.sendTransaction(call);
  noteCalls(world, step.by, signer, [{ what: "sent", about: state.id, detail: "", call: call.name, hash }]);
  return `${count(Number(leaf.count), "reading")} of ${leaf.device}, for a deposit of ${formatItc(formatEther(deposit))} ITC`;
}

/** Has a proposer answer all that is asked of it. */
export async function answer(world: World, step: StepOf<"answer">): Promise<string> {
  const { notes, sent } = await answerFor(world, step.by);
  const failure = notes.find(({ what }) => what !== "sent");
  if (failure) {
    const what = `${step.by} can't answer: ${failure.detail}.`;
    throw new ReplayError(
      "ITC_REPLAY_ANSWER",
      what,
      "Only a true result can be answered for, and only while it stands.",
    );
  }
  return count(sent, "answer");
}

function fallOf({ request, calls, author }: ProposalState): string {
  return `${request} of ${author} by ${calls
    .filter(({ by }) => by !== author)
    .map(({ name }) => name)
    .join(", ")}`;
}

/** What a watcher has aggregated itself for each proposal that stands, by request and device. */
async function ownPartials(world: World): Promise<Map<string, DevicePartial>> {
  const found = new Map<string, DevicePartial>();
  for (const { state } of standing(world)) {
    await withAggregator(world, state, (aggregator) => {
      for (const one of aggregator.partials()) found.set(`${state.id} ${one.device.toLowerCase()}`, one);
    });
  }
  return found;
}

async function answerAll(world: World): Promise<number> {
  let all = 0;
  for (const author of new Set(standing(world).map(({ proposal }) => proposal.author))) {
    all += (await answerFor(world, author)).sent;
  }
  return all;
}

async function answerFor(world: World, author: string): Promise<{ notes: WatchNote[]; sent: number }> {
  const { chain, addresses, proposals } = world;
  const signer = new ChainSigner(chain, world.account(author));
  const shown = proposals.filter((one) => one.author === author && one.isShown);
  const answerer = new Answerer({
    provider: chain.reader,
    signer,
    addresses,
    treeOf: async (_, root) => shown.find((one) => one.root === root)?.tree,
    readingsOf: async (request, device) => openReadings(world, request, device),
  });
  const notes = await answerer.round();
  return { notes, sent: noteCalls(world, author, signer, notes) };
}

/** Files what was sent with the proposals that it was about. Returns how many calls that were. */
function noteCalls(world: World, by: string, { sent }: ChainSigner, notes: readonly WatchNote[]): number {
  const about = new Map(standing(world).map(({ proposal, state }) => [state.id, proposal]));
  const own = notes.filter(({ what }) => what === "sent");
  for (const note of own) {
    const found = sent.find(({ receipt }) => receipt.hash === note.hash);
    if (!found) continue;
    const ledger = new Ledger();
    ledger.note(found.receipt, found.call, world.addresses.ITC);
    const [name = ""] = note.call?.split(" ") ?? [];
    about.get(note.about)?.calls.push({ by, name, gasUsed: found.receipt.gasUsed, flows: ledger.flows });
  }
  return own.length;
}

/** When the next answer is overdue; undefined where no proposal that stands is questioned. */
async function nextDue(world: World): Promise<bigint | undefined> {
  const book = new WatchBook(world.chain.reader, world.addresses, undefined);
  await book.read();
  const found = standing(world).map(({ state }) => world.contracts.analytics.proposalOf(state.request));
  const stamps = new Set(
    (await Promise.all(found)).filter(({ root }) => BigInt(root) !== 0n).map(({ stamp }) => stamp),
  );
  const open = book.questions().filter((asked) => stamps.has(asked.stamp) && !book.settled(asked));
  return open.reduce<bigint | undefined>(
    (least, { due }) => (least === undefined || due < least ? due : least),
    undefined,
  );
}

/** The readings of a device that a request counts, open, with where they are. */
function openReadings(world: World, request: string, device: string): OpenReading[] {
  const state = [...world.requests.values()].find(({ id }) => id === request);
  if (!state) return [];
  const { query } = state.request;
  return world.anchored
    .filter(({ reading }) => reading.device.toLowerCase() === device.toLowerCase())
    .filter(({ reading: { schema, time } }) => sameBytes(schema, query.schema) && time >= query.from && time < query.to)
    .map(({ gateway, reading, measurement, member }): OpenReading => {
      const [fields, place] = onChain(gateway.evidenceOf(reading.device, reading.sequence));
      const signer = toHex(signerOf(member.device.key, world.addresses));
      const { value, salt } = measurement;
      return { fields, place, value, salt: toHex(salt), signer, signature: toHex(reading.signature) };
    })
    .filter(({ place }) => place.entryTime <= query.anchoredBy)
    .slice(0, Number(query.cap));
}
