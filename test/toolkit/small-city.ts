import { loadScenario } from "../../toolkit/testing/scenario.js";
import type { Scenario, Step } from "../../toolkit/testing/scenario-schema.js";

export const CITY = new URL("../../scenarios/city-sensors.yaml", import.meta.url).pathname;

const STATIONS = ["nordwind-stations", "zephyr-stations", "borealis-stations"];
const DAILY = ["seattle-anemometer", "new-york-anemometer", "seattle-thermometer", "new-york-thermometer"];

/** What of the city is kept. */
export interface SmallCity {
  readonly seed?: number;
  /** Of each of three makers. */
  readonly stations?: number;
  /** Takes each n-th day of the daily series only. */
  readonly every?: number;
  readonly change?: (step: Step) => Step;
}

/** The city with fewer stations and days: the same steps on real data, in seconds. */
export async function smallCity({ seed, stations = 20, every = 7, change }: SmallCity = {}): Promise<Scenario> {
  const city = await loadScenario(CITY);
  const fleets = Object.fromEntries(
    Object.entries(city.fleets).flatMap(([name, fleet]) => {
      if (STATIONS.includes(name)) return [[name, { ...fleet, count: stations }]];
      return DAILY.includes(name) ? [[name, fleet]] : [];
    }),
  );
  const sources = Object.fromEntries(
    Object.entries(city.sources).map(([name, source]) => [
      name,
      name.includes("daily") ? { ...source, every } : source,
    ]),
  );
  const kept = new Set(Object.keys(fleets));
  const steps = city.steps.map((step): Step => {
    if (step.do === "request") return { ...step, cohort: step.cohort > 2 ? 3 * stations : 2 };
    if (step.do === "verify") return { ...step, sample: 40 };
    return "fleets" in step ? { ...step, fleets: step.fleets.filter((name) => kept.has(name)) } : step;
  });
  const actors = { ...city.actors, citizens: { kind: "owner" as const, count: 7 } };
  const changed = change ? steps.map(change) : steps;
  return { ...city, actors, sources, fleets, steps: changed, seed: seed ?? city.seed };
}
