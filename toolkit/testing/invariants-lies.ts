import { formatEther } from "ethers";
import { QuestionDesk__factory } from "../contracts.js";
import type { Invariant } from "./invariants.js";
import { standing } from "./proposals.js";
import type { World } from "./world.js";

/** What must hold where proposers cheat. */
export function lieInvariants(): Invariant[] {
  return [liesFall(), depositsCovered(), honestyCostsNothing()];
}

function liesFall(): Invariant {
  return {
    name: "No lie becomes final",
    description: "No final result is one that was proposed with a lie, as long as somebody watches.",
    advice:
      "A lie falls only if somebody looks: put a watch step before the end of its window. If there is one, report this as a defect.",
    async check(world) {
      const lies = world.proposals.filter(({ lie }) => lie !== undefined);
      // What fell may come back as the truth: hidden data are no other result.
      for (const { request, lie, root, isWatched } of lies.filter(({ fell }) => !fell)) {
        const [isFinal, final] = await world.contracts.analytics.resultOf(world.request(request).id);
        if (!isFinal || final !== root) continue;
        const failure = `${request} is final with the lie ${lie}, ${isWatched ? "though it was watched" : "which nobody watched"}`;
        return { checked: lies.length, failure };
      }
      return { checked: lies.length };
    },
  };
}

function depositsCovered(): Invariant {
  return {
    name: "Deposits covered",
    description: "The question desk holds exactly the deposit of each question that isn't settled.",
    async check(world) {
      const { addresses, chain, contracts } = world;
      const desk = QuestionDesk__factory.connect(addresses.QuestionDesk, chain.reader);
      const { LeafDemanded, PartialQuestioned, QuestionSettled } = desk.filters;
      const [demanded, questioned, settled, deposit, held] = await Promise.all([
        desk.queryFilter(LeafDemanded()),
        desk.queryFilter(PartialQuestioned()),
        desk.queryFilter(QuestionSettled()),
        desk.deposit(),
        contracts.itc.balanceOf(addresses.QuestionDesk),
      ]);
      const open = demanded.length + questioned.length - settled.length;
      const checked = demanded.length + questioned.length;
      if (held === deposit * BigInt(open)) return { checked };
      return { checked, failure: `${held} units held for ${open} open questions` };
    },
  };
}

function honestyCostsNothing(): Invariant {
  return {
    name: "Honest proposers lose nothing",
    description: "Whoever proposes true results only has from courts and questions at least what it has put down.",
    advice:
      "Who is questioned must answer in time: put an answer step behind the question. If there is one, report this as a defect.",
    async check(world) {
      const liars = new Set(world.proposals.filter(({ lie }) => lie !== undefined).map(({ author }) => author));
      const honest = new Set(world.proposals.map(({ author }) => author).filter((author) => !liars.has(author)));
      for (const author of honest) {
        const lost = lossOf(world, author);
        if (lost > 0n) return { checked: honest.size, failure: `${author} has lost ${formatEther(lost)} ITC` };
      }
      return { checked: honest.size };
    },
  };
}

/** ITC that a proposer has put down and neither has back nor will have when its proposals become final. */
function lossOf(world: World, author: string): bigint {
  const { Analytics, QuestionDesk } = world.addresses;
  const { address } = world.account(author);
  const { flows } = world.ledger;
  const down = flows.filter(
    ({ from, to, what }) => from === address && to === Analytics && what === "propose a result",
  );
  const back = flows.filter(({ from, to }) => to === address && (from === Analytics || from === QuestionDesk));
  const sum = (list: typeof flows) => list.reduce((total, { amount }) => total + amount, 0n);
  const own = standing(world).filter(({ proposal }) => proposal.author === author);
  const bonds = own.reduce((total, { state }) => total + state.request.terms.bond, 0n);
  return sum(down) - sum(back) - bonds;
}
