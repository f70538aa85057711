import { fileURLToPath } from "node:url";
import { format, resolveConfig } from "prettier";
import * as snarkjs from "snarkjs";
import { keyIn } from "./zk-ceremony.js";

/** The file that holds the keys of the verifier. */
export const KEYS_FILE: string = fileURLToPath(new URL("../contracts/analytics/Groth16Keys.sol", import.meta.url));

/** Modulus of the coordinates of BN254's points. */
const FIELD = 21888242871839275222246405745257275088696311157297823662689037894645226208583n;

/** A verification key as snarkjs exports it: decimal strings. */
interface VerificationKey {
  readonly vk_alpha_1: readonly string[];
  readonly vk_beta_2: readonly (readonly string[])[];
  readonly vk_gamma_2: readonly (readonly string[])[];
  readonly vk_delta_2: readonly (readonly string[])[];
  readonly IC: readonly (readonly string[])[];
}

const hex = (values: readonly bigint[]): string =>
  values.map((value) => `hex"${value.toString(16).padStart(64, "0")}"`).join("\n");

function pointOf([x = "", y = ""]: readonly string[]): string {
  return hex([BigInt(x), BigInt(y)]);
}

/** As EIP-197 has it, and negated. */
function minus([x = [], y = []]: readonly (readonly string[])[]): string {
  const [y0 = 0n, y1 = 0n] = [0, 1].map((k) => (FIELD - BigInt(y[k] ?? "")) % FIELD);
  return hex([BigInt(x[1] ?? ""), BigInt(x[0] ?? ""), y1, y0]);
}

async function functionOf(circuit: string, folder: string): Promise<string> {
  const key: unknown = await snarkjs.zKey.exportVerificationKey(keyIn(folder, circuit));
  const { vk_alpha_1, vk_beta_2, vk_gamma_2, vk_delta_2, IC } = key as VerificationKey;
  const points = [pointOf(vk_alpha_1), ...[vk_beta_2, vk_gamma_2, vk_delta_2].map(minus), ...IC.map(pointOf)];
  return `function ${circuit.replace("-", "")}() internal pure returns (bytes memory) {
    return ${points.join("\n")};
  }`;
}

/** The text of that file, with the keys of a folder. */
export async function verifierSource(
  folder: string,
  circuits: readonly string[],
  isDevelopment: boolean,
): Promise<string> {
  const functions: string[] = [];
  for (const circuit of circuits) functions.push(await functionOf(circuit, folder));
  const what = isDevelopment ? "The development set-up: anyone can forge proofs for it." : "Of a ceremony.";
  const source = `// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Verification keys of the circuits in \`circuits/\`
/// @dev Written by scripts/zk-setup.ts; Groth16.sol says what they look like. ${what}
library Groth16Keys {
  bool internal constant DEVELOPMENT = ${isDevelopment};

  ${functions.join("\n\n  ")}
}
`;
  return format(source, { ...(await resolveConfig(KEYS_FILE)), filepath: KEYS_FILE });
}
