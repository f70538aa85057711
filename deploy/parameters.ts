import { parseEther } from "ethers";
import { z } from "zod";
import table from "./parameters.json" with { type: "json" };

const Itc = z
  .string()
  .regex(/^\d+(\.\d{1,18})?$/, 'an amount of ITC such as "1.5"')
  .transform((amount) => parseEther(amount));

const Parameters = z.strictObject({
  /** ITC that an issuer puts down for each device, at least. */
  minimumBondPerDevice: Itc,
  /** Seconds that the recovery of a device's key takes, in which its issuer or the device can turn it down. */
  keyRecoveryDelay: z.int().positive().transform(BigInt),
  /** Seconds from a device's end until its bond can be returned. */
  bondDelay: z.int().positive().transform(BigInt),
  /** Seconds for which each proposal can be challenged, at least. */
  minimumChallengeWindow: z.int().positive().transform(BigInt),
  /** Seconds in which a proposer answers a question. */
  answerTime: z.int().positive().transform(BigInt),
  /** ITC that a question costs; more than its answer costs in gas. */
  questionDeposit: Itc,
  /** Whether partials can be proved in zero knowledge; needs keys of a ceremony on public networks, see docs/zk.md. */
  zeroKnowledge: z.boolean(),
  /** Seconds after which rewards and earnings that nobody claims go back. */
  claimPeriod: z.int().positive().transform(BigInt),
  /** ITC that whoever proposes puts down, at least. */
  minimumProposerBond: Itc,
});

/** What differs between networks. */
export type Parameters = z.infer<typeof Parameters>;

/** The parameters of a chain: its own row of parameters.json, else the default. */
export function parametersOf(chainId: bigint): Parameters {
  const rows: Record<string, unknown> = table;
  return Parameters.parse(rows[chainId.toString()] ?? rows.default);
}
