import type { CarbonProject, Reductions } from "../analytics/carbon.js";
import type { Source } from "./scenario-schema.js";
import type { FleetState } from "./world.js";

/** A project for credits, as its words are on the chain. */
export interface ProjectState {
  readonly name: string;
  readonly words: CarbonProject;
  readonly id: string;
  /** Actors. */
  readonly owner: string;
  readonly verifier: string;
  readonly purpose: string;
  /** What its meters measure. */
  readonly source: Source;
  readonly fleets: readonly FleetState[];
}

/** A period that was asked for, and what became of its credits. */
export interface PeriodState {
  readonly project: ProjectState;
  /** The name of its request. */
  readonly name: string;
  readonly from: bigint;
  readonly to: bigint;
  /** The ERC-1155 token. */
  readonly credit: bigint;
  /** What was attested to last. */
  attested: (Reductions & { readonly signature: string }) | undefined;
  /** Grams; 0 while nothing is issued. */
  issued: bigint;
  /** What each actor has of them. */
  readonly holders: Map<string, bigint>;
  readonly retired: { readonly holder: string; readonly grams: bigint; readonly reason: string }[];
}

/** An attempt that a contract refused, as the scenario says it must. */
export interface Refusal {
  readonly period: string;
  /** The step's name. */
  readonly what: string;
  readonly by: string;
  /** The contract's error with its figures. */
  readonly error: string;
}

/** Projects, periods and refusals of a run, by the names that its scenario gives them. */
export class CarbonBook {
  readonly projects = new Map<string, ProjectState>();
  readonly periods = new Map<string, PeriodState>();
  readonly refusals: Refusal[] = [];
}

/** Grams of a period that were retired. */
export function retiredOf({ retired }: PeriodState): bigint {
  return retired.reduce((total, { grams }) => total + grams, 0n);
}
