import type { Eip1193Provider } from "ethers";
import { startEmbedded } from "../../toolkit/testing/embedded.js";
import { type ReplayOptions, replay } from "../../toolkit/testing/replay.js";
import type { Report } from "../../toolkit/testing/report.js";
import { parseScenario, ScenarioError } from "../../toolkit/testing/scenario.js";
import type { Scenario } from "../../toolkit/testing/scenario-schema.js";

/** Plays a scenario on a chain of its own. @param through Stands between the replay and its node. */
export async function played(
  scenario: Scenario,
  options: ReplayOptions,
  through: (node: Eip1193Provider) => Eip1193Provider = (node) => node,
): Promise<Report> {
  const { provider, close } = await startEmbedded({ start: scenario.clock.start });
  try {
    return await replay(scenario, through(provider), options);
  } finally {
    await close();
  }
}

/** What is wrong with a scenario's text, a line each; "none" if nothing is. */
export function problemsIn(text: string, file: string): string {
  try {
    parseScenario(text, file);
  } catch (error) {
    if (error instanceof ScenarioError) return error.problems.join("\n");
    throw error;
  }
  return "none";
}
