import { fileURLToPath } from "node:url";

import hardhatToolboxMochaEthers from "@nomicfoundation/hardhat-toolbox-mocha-ethers";
import { defineConfig } from "hardhat/config";
import type { HardhatPlugin } from "hardhat/types/plugins";

// Hardhat hands one array of artifacts to all plugins, in an order that differs from build to build. Before typechain sees it,
// it is sorted, so that bindings are the same each time, and mocks are left out: bindings are of what we publish.
const steadyBindings: HardhatPlugin = {
  id: "steady-bindings",
  hookHandlers: {
    solidity: async () => ({
      default: async () => ({
        processArtifactsAfterSuccessfulBuild: async (_context, artifacts) => {
          const published = artifacts.filter((file) => !/[\\/]contracts[\\/]mocks[\\/]/.test(file)).sort();
          (artifacts as string[]).splice(0, artifacts.length, ...published);
        },
      }),
    }),
  },
};

const compiler = (runs: number) => ({
  version: "0.8.37",
  // The compiler is an npm package, so nothing is downloaded at build time.
  path: fileURLToPath(import.meta.resolve("solc/soljson.js")),
  settings: {
    // Not osaka: the code then runs on every chain since Cancun; only the precompile at 0x100 is looked for, not needed.
    evmVersion: "cancun",
    viaIR: true,
    optimizer: { enabled: true, runs },
    // No hash of sources in the code: a comment then changes neither bindings nor the address that follows from the code.
    metadata: { bytecodeHash: "none" },
  },
});

export default defineConfig({
  plugins: [steadyBindings, hardhatToolboxMochaEthers],
  solidity: {
    compilers: [compiler(1_000_000)],
    // Optimised for size as far as its hot paths bear it: a contract may have 24,576 bytes (EIP-170).
    overrides: { "contracts/identity/DeviceRegistry.sol": compiler(200) },
  },
  typechain: { outDir: "typechain-types", tsNocheck: true },
  test: { mocha: { timeout: 120_000 } },
  networks: {
    default: { type: "edr-simulated", chainType: "l1", hardfork: "osaka" },
  },
});
