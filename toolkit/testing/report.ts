import { randomUUID } from "node:crypto";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { WithheldFor } from "../analytics/build-result.js";
import { renderAnalyses } from "./report-analyses.js";
import type { ReportCarbon } from "./report-carbon.js";
import { renderPage } from "./report-page.js";
import type { RequestState } from "./world.js";

/** What a run leaves behind: `report.json` is this object, `index.html` and `analyses.html` are drawn from it. */
export interface Report {
  readonly format: "iotchain-report/1";
  /** The scenario's short name, such as `city-sensors`; also the folder below `reports/`. */
  readonly scenario: string;
  readonly title: string;
  /** One or two sentences: what the scenario shows. */
  readonly description: string;
  /** Two runs with one seed differ in times only; see {@link comparable}. */
  readonly seed: number;
  readonly verdict: "passed" | "failed";
  /** Present exactly when the verdict is `failed`. */
  readonly failure?: ReportFailure;
  readonly chain: { readonly id: number; readonly name: string; readonly blocks: number };
  readonly totals: ReportTotals;
  /** In the order they ran. */
  readonly steps: readonly ReportStep[];
  readonly operations: readonly ReportOperation[];
  readonly actors: readonly ReportActor[];
  readonly invariants: readonly ReportInvariant[];
  readonly data: ReportData;
  /** One for each request, whatever became of it. */
  readonly analyses: readonly ReportAnalysis[];
  readonly money: readonly ReportTransfer[];
  readonly verification: ReportVerification;
  /** Present when results were challenged, questioned or lied about. */
  readonly challenges?: readonly ReportChallenge[];
  /** Present when the run has traced parts. */
  readonly provenance?: ReportProvenance;
  /** Present when the run has projects for credits. */
  readonly carbon?: ReportCarbon;
  /** `startedAt` is ISO 8601 in UTC, `ms` the whole run in milliseconds. */
  readonly times: { readonly startedAt: string; readonly ms: number };
}

/** The step that stopped the run, and the error's stable code and message. */
export interface ReportFailure {
  readonly step: string;
  readonly code: string;
  readonly message: string;
}

/** The whole run in six numbers. */
export interface ReportTotals {
  readonly devices: number;
  readonly readings: number;
  /** Entries appended to publishers' logs. */
  readonly batches: number;
  readonly transactions: number;
  readonly gasUsed: number;
  /** Paid to data owners: decimal ITC, such as `"1250.5"`. */
  readonly itcPaid: string;
}

/** One step of the scenario. */
export interface ReportStep {
  readonly name: string;
  /** The scenario's verb, such as `enrol` or `anchor`. */
  readonly do: string;
  /** What came of it, in words. */
  readonly note: string;
  readonly gasUsed: number;
  readonly transactions: number;
  readonly ms: number;
}

/** Gas of one kind of transaction; `min`, `mean` and `max` are a transaction's. */
export interface ReportOperation {
  readonly name: string;
  readonly transactions: number;
  readonly gasUsed: number;
  readonly min: number;
  readonly mean: number;
  readonly max: number;
}

/** One actor, or several accounts that play one part; amounts are decimal ITC. */
export interface ReportActor {
  readonly name: string;
  readonly kind: string;
  readonly accounts: number;
  readonly transactions: number;
  readonly gasUsed: number;
  readonly itcBefore: string;
  readonly itcAfter: string;
}

/** A property that was checked again and again while the run went on. */
export interface ReportInvariant {
  readonly name: string;
  readonly description: string;
  /** How often it was checked. */
  readonly checked: number;
  readonly holds: boolean;
  /** What was seen the first time that it didn't hold. */
  readonly firstFailure?: string;
}

/** Where the readings came from and what they look like. */
export interface ReportData {
  readonly sources: readonly ReportSource[];
  /** One dot each on the map. */
  readonly stations: readonly ReportStation[];
  readonly series: readonly ReportSeries[];
}

/** One input file; `from` and `to` are Unix seconds of the first and the last reading. */
export interface ReportSource {
  readonly name: string;
  readonly file: string;
  /** What is measured, such as `wind speed`. */
  readonly what: string;
  readonly unit: string;
  readonly devices: number;
  readonly readings: number;
  readonly from: number;
  readonly to: number;
  readonly licence: string;
}

/** A place and its reading; degrees in WGS 84, `source` is a {@link ReportSource}'s name. */
export interface ReportStation {
  readonly longitude: number;
  readonly latitude: number;
  readonly value: number;
  readonly unit: string;
  readonly source: string;
}

/** Daily means over all devices of a source: `[Unix seconds, value]`, in time order. */
export interface ReportSeries {
  readonly name: string;
  readonly unit: string;
  readonly points: readonly (readonly [number, number])[];
}

/** What a company asked, what it learned and whom it paid; amounts are decimal ITC, times Unix seconds. */
export interface ReportAnalysis {
  readonly name: string;
  readonly company: string;
  /** Such as `mean wind speed`. */
  readonly operation: string;
  readonly purpose: string;
  readonly unit: string;
  readonly from: number;
  readonly to: number;
  /** The fewest devices that a result may speak of. */
  readonly cohort: number;
  /** Those that a result counts. */
  readonly devices: number;
  readonly owners: number;
  readonly readings: number;
  /** Decimal, in `unit`; empty as long as nothing is proposed. */
  readonly result: string;
  /** How far the truth may be from it, for people; empty where it is exact. */
  readonly error: string;
  readonly reward: string;
  readonly payments: readonly ReportPayment[];
  /** How far it has come. */
  readonly state: RequestState["status"];
  readonly request: ReportRequest;
  /** Present, as `outcome` is, once a result is proposed. */
  readonly members?: ReportMembers;
  readonly outcome?: ReportOutcome;
  readonly pay: ReportPay;
}

/** A request's terms as they are on chain; ITC, epsilon and bounds are decimals, times Unix seconds. */
export interface ReportRequest {
  /** 32 bytes as hex. */
  readonly id: string;
  /** `count`, `sum`, `mean`, `min-max`, `histogram`, `distinct`, `membership` or `regression`. */
  readonly operation: string;
  readonly quantity: string;
  /** Of the readings. */
  readonly unit: string;
  /** Values below count as this one; left out, as `upper`, where no reading is. */
  readonly lower?: string;
  readonly upper?: string;
  /** Most readings of a device that count. */
  readonly cap: number;
  /** Bins of a histogram, log2 of a sketch's registers or bits; 0 for others. */
  readonly size: number;
  readonly hashes: number;
  /** Which devices were asked for, in words; none for any. */
  readonly filter: readonly string[];
  /** Privacy loss of each device; `0` asks for exact partials. */
  readonly epsilon: string;
  readonly fee: string;
  readonly bond: string;
  readonly weighting: "readings" | "devices";
  readonly settlement: "direct" | "rolled" | "pushed";
  readonly requestedAt: number;
  readonly deadline: number;
  /** Seconds. */
  readonly challengeWindow: number;
}

/** Whom a result speaks of, in devices. */
export interface ReportMembers {
  /** All whose owners had agreed when the request was made. */
  readonly all: number;
  /** Left out where nobody noted why devices were withheld. */
  readonly eligible?: number;
  /** Whose readings anyone can check. */
  readonly proved: number;
  /** Taken on the device's word. */
  readonly attested: number;
  readonly withheld: number;
  /** Why, with how many each. */
  readonly reasons: readonly { readonly why: WithheldFor; readonly devices: number }[];
  /** How many devices have which weight, the least first. */
  readonly weights: readonly { readonly weight: string; readonly devices: number }[];
}

/** What came out, as figures that can be drawn. */
export interface ReportOutcome {
  readonly figures: readonly ReportFigure[];
  /** What makes a figure differ from that of the readings that count. */
  readonly chance: "none" | "noise" | "sketch";
  /** What to bear in mind when reading them, in sentences. */
  readonly notes: readonly string[];
}

/**
 * A figure of a result. Decimals are in `unit` and never in exponents; bounds of a bin, both in it, are in that of the readings.
 *
 * `what` is `count`, `sum`, `mean`, `least`, `greatest`, `bin`, `distinct`, `false positives`, `filled`, `slope`, `height` (of a line, at a time),
 * `r2` or `scatter` (the slope's standard error by least squares, were the readings a sample).
 */
export interface ReportFigure {
  readonly what: string;
  /** Left out where there is none, such as the mean of no readings. */
  readonly value?: string;
  readonly unit: string;
  /** One standard deviation of what chance has added; `0` where nothing has. */
  readonly deviation: string;
  readonly from?: string;
  readonly to?: string;
  /** Unix seconds. */
  readonly at?: number;
}

/** Where reward and fee go, in decimal ITC: `owners` and `carry` are the reward. */
export interface ReportPay {
  readonly owners: string;
  /** What rounding down leaves. */
  readonly carry: string;
  readonly fee: string;
  /** Who proposed, and so gets the fee. */
  readonly proposer?: string;
}

/** An owner's share of an analysis; `itc` is decimal ITC, `weight` a whole number. */
export interface ReportPayment {
  readonly owner: string;
  readonly devices: number;
  readonly readings: number;
  readonly weight: string;
  readonly itc: string;
}

/** Who paid whom; `itc` is decimal ITC, `what` says why. */
export interface ReportTransfer {
  readonly from: string;
  readonly to: string;
  readonly itc: string;
  readonly what: string;
}

/** A proposed result that was lied about, challenged or questioned. */
export interface ReportChallenge {
  /** The request's name. */
  readonly request: string;
  readonly proposer: string;
  /** One of `LIES`; left out for an honest result. */
  readonly lie?: string;
  /** Whether a challenge took it down. */
  readonly fell: boolean;
  /** Challenges, questions and answers in their order; `name` is the contract's function. */
  readonly calls: readonly { readonly by: string; readonly name: string; readonly gasUsed: number }[];
  /** Of all calls but the proposer's. */
  readonly gasUsed: number;
  /** Of the proposer's. */
  readonly answerGas: number;
  /** Decimal ITC that each actor won or, negative, lost. */
  readonly changes: readonly { readonly actor: string; readonly itc: string }[];
}

/** What a third party found with the evidence and an RPC address only. */
export interface ReportVerification {
  readonly sampled: number;
  readonly verified: number;
  /** Size of the evidence for one reading. */
  readonly bundleBytes: { readonly min: number; readonly mean: number; readonly max: number };
  /** One check, line by line in words. */
  readonly example: readonly string[];
}

/** A whole with its parts, down to the designs, and what was taken out of it. */
export interface ReportProvenance {
  /** The name of the whole. */
  readonly of: string;
  readonly parts: readonly ReportPart[];
}

/** A part; other parts and actors by their names. */
export interface ReportPart {
  readonly name: string;
  /** EPC URI. */
  readonly serial: string;
  readonly rank: string;
  readonly state: string;
  readonly maker: string;
  readonly custodian: string;
  /** The registered device that it is. */
  readonly device?: string;
  /** What it is in; a design can be in many chips. */
  readonly inside: readonly string[];
  /** What it was in before it was taken out. */
  readonly formerly: readonly string[];
  /** Whose claims of its serial were refused. */
  readonly claims: readonly string[];
  /** How often it changed hands by itself. */
  readonly handOvers: number;
}

/**
 * Writes `report.json`, `index.html` and, of a run with requests, `analyses.html` into `folder`, which is made when missing. Each file is
 * replaced in one move, so a reader sees the old one or the new one and never a part.
 */
export async function writeReport(report: Report, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const analyses = join(folder, "analyses.html");
  // First, so that no link to it leads nowhere.
  if (report.analyses.length > 0) await replaceFile(analyses, renderAnalyses(report));
  await replaceFile(join(folder, "index.html"), renderPage(report));
  if (report.analyses.length === 0) await rm(analyses, { force: true });
  await replaceFile(join(folder, "report.json"), `${JSON.stringify(report, undefined, 2)}\n`);
}

/** The report as JSON without its times: equal byte for byte for two runs of one seed. */
export function comparable(report: Report): string {
  const timeless = (key: string, value: unknown): unknown => (key === "ms" || key === "times" ? undefined : value);
  return JSON.stringify(report, timeless, 2);
}

async function replaceFile(path: string, text: string): Promise<void> {
  const draft = `${path}.${randomUUID()}.tmp`;
  await writeFile(draft, text);
  await rename(draft, path);
}
