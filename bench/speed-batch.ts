import { SimpleMerkleTree } from "@openzeppelin/merkle-tree";
import { createKeccak } from "hash-wasm";
import { toHex } from "../toolkit/internal/bytes.js";
import { MerkleTree } from "../toolkit/internal/merkle.js";

// One of three jobs in a process of its own, so that memory is its alone. Prints milliseconds and MiB as JSON.
const READINGS = 1_000_000;

const jobs: Record<string, () => Promise<() => unknown>> = {
  /** Hashed readings to a root. */
  async ours() {
    const words = hashedReadings();
    return () => MerkleTree.over(words).root;
  },
  /** As many hashes as that takes, of 64 bytes each, with nothing around them. */
  async bare() {
    const words = hashedReadings();
    const hasher = await createKeccak(256);
    return () => {
      for (let k = 0; k < 2 * READINGS; k++) {
        const at = (k % 1_000) * 64;
        hasher.init();
        hasher.update(words.subarray(at, at + 64));
        hasher.digest("binary");
      }
    };
  },
  async peer() {
    const words = hashedReadings();
    const leaves = Array.from({ length: READINGS }, (_, k) => toHex(words.subarray(k * 32, k * 32 + 32)));
    return () => SimpleMerkleTree.of(leaves, { sortLeaves: false }).root;
  },
};

function hashedReadings(): Uint8Array {
  const words = new Uint8Array(READINGS * 32);
  let state = 1;
  for (let k = 0; k < words.length; k++) {
    state = Math.imul(state, 1_103_515_245) + 12_345;
    words[k] = state >>> 16;
  }
  return words;
}

const run = await jobs[process.argv[2] ?? ""]?.();
if (!run) throw new Error("Name one of: ours, bare, peer.");
const start = performance.now();
run();
const milliseconds = performance.now() - start;
console.log(JSON.stringify({ milliseconds, mebibytes: process.resourceUsage().maxRSS / 1024 }));
