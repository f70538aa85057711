import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { expect } from "chai";
import { differences } from "../../scripts/check-bindings.js";
import { checkLayout, describeViolation } from "../../scripts/check-layout.js";

const PINNED = "pragma solidity 0.8.37;\n";
const FLOATING = "pragma solidity ^0.8.26;\n";
const CALLED = "    function go() external {}\n}\n";

describe("package: layout", () => {
  let root: string;

  beforeEach(() => {
    root = mkdtempSync(path.join(tmpdir(), "a house "));
    write("hardhat.config.ts", 'solidity: { version: "0.8.37" }');
  });

  afterEach(() => rmSync(root, { recursive: true }));

  function write(file: string, text: string): void {
    mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    writeFileSync(path.join(root, file), text);
  }

  /** The breaches of a house with this file, a line each. */
  function breaches(file: string, text: string): string {
    write(file, text);
    return checkLayout(root).map(describeViolation).join("\n");
  }

  it("accepts this repository", () => {
    expect(checkLayout(process.cwd()).map(describeViolation)).to.deep.equal([]);
  });

  describe("rooms", () => {
    it("refuses a room that nobody knows", () => {
      expect(breaches("contracts/bazaar/Stall.sol", PINNED)).to.match(
        /contracts\/bazaar\/Stall\.sol:1: is in no known/,
      );
      expect(breaches("toolkit/helpers/x.ts", "")).to.match(/toolkit\/helpers\/x\.ts:1: is in no known room/);
    });

    it("refuses a file beside the rooms that nobody knows", () => {
      expect(breaches("toolkit/utils.ts", "")).to.match(/toolkit\/utils\.ts:1: is in no known room/);
    });

    it("refuses a folder inside a room", () => {
      expect(breaches("toolkit/identity/keys/p256.ts", "")).to.match(/lies 3 folders deep/);
      expect(breaches("test/identity/keys/p256.ts", "")).to.match(/test\/identity\/keys\/p256\.ts:1: lies 3 folders/);
    });
  });

  describe("arrows between contracts", () => {
    const forbidden: [from: string, to: string][] = [
      ["libraries", "token"],
      ["access", "token"],
      ["token", "identity"],
      ["identity", "anchoring"],
      ["anchoring", "analytics"],
      ["billing", "analytics"],
      ["analytics", "billing"],
      ["payouts", "identity"],
      ["identity", "mocks"],
    ];
    for (const [from, to] of forbidden) {
      it(`refuses ${from} → ${to}`, () => {
        const text = `${PINNED}import {\n    X\n} from "../${to}/X.sol";\n`;
        expect(breaches(`contracts/${from}/Y.sol`, text)).to.match(
          new RegExp(`^contracts/${from}/Y\\.sol:2: imports ${to}, against the arrows`),
        );
      });
    }

    it("accepts arrows that point down", () => {
      const imports = ["anchoring", "identity", "payouts", "token", "libraries"].map(
        (room) => `import {X} from "../${room}/X.sol";\n`,
      );
      expect(breaches("contracts/analytics/Y.sol", PINNED + imports.join(""))).to.equal("");
    });

    it("refuses a dependency other than OpenZeppelin, save in mocks", () => {
      const text = `${PINNED}import {X} from "solady/X.sol";\n`;
      expect(breaches("contracts/mocks/Y.sol", text)).to.equal("");
      expect(breaches("contracts/token/Y.sol", text)).to.match(
        /Y\.sol:2: imports solady\/X\.sol, but contracts depend/,
      );
    });
  });

  describe("arrows between the toolkit's rooms", () => {
    const forbidden: [file: string, from: string, target: string][] = [
      ["toolkit/internal/x.ts", "../identity/keys.js", "identity"],
      ["toolkit/identity/x.ts", "../anchoring/log.js", "anchoring"],
      ["toolkit/payouts/x.ts", "../identity/keys.js", "identity"],
      ["toolkit/anchoring/x.ts", "../testing/fleet.js", "testing"],
      ["toolkit/testing/x.ts", "../cli/main.js", "cli"],
      ["toolkit/identity/x.ts", "../../typechain-types/index.js", "typechain-types"],
      ["toolkit/identity/x.ts", "../../deploy/steps.js", "deploy"],
      ["toolkit/index.ts", "./testing/index.js", "testing"],
      ["toolkit/errors.ts", "./internal/bytes.js", "internal"],
      ["deploy/steps.ts", "../toolkit/identity/keys.js", "identity"],
      ["bench/gas.ts", "../typechain-types/index.js", "typechain-types"],
    ];
    for (const [file, from, target] of forbidden) {
      it(`refuses ${file} → ${target}`, () => {
        expect(breaches(file, `\nimport { x } from "${from}";\n`)).to.match(
          new RegExp(`^${file}:2: imports ${target}, `),
        );
      });
    }

    it("sees re-exports, bare, type-only and dynamic imports", () => {
      const lines = ['export * from "../cli/a.js";', 'import "../cli/b.js";', 'import type { C } from "../cli/c.js";'];
      const text = `${lines.join("\n")}\nconst d = await import("../cli/d.js");\n`;
      expect(checkedLines("toolkit/identity/x.ts", text)).to.deep.equal([1, 2, 3, 4]);
    });

    it("takes no other string for an import", () => {
      expect(breaches("toolkit/identity/x.ts", 'export const HOME = "../cli/a.js";\n')).to.equal("");
    });

    it("accepts tests that import anything", () => {
      expect(breaches("test/identity/x.ts", 'import { X } from "../../typechain-types/index.js";\n')).to.equal("");
    });
  });

  function checkedLines(file: string, text: string): number[] {
    write(file, text);
    return checkLayout(root).map(({ line }) => line);
  }

  describe("shape of files", () => {
    it("refuses a contract of more than 350 lines", () => {
      const comments = (count: number): string => PINNED + "//\n".repeat(count - 1);
      expect(breaches("contracts/token/Y.sol", comments(350))).to.equal("");
      expect(breaches("contracts/token/Y.sol", comments(351))).to.match(/Y\.sol:351: has 351 lines, 350 is the limit/);
    });

    it("refuses TypeScript of more than 400 lines", () => {
      expect(breaches("toolkit/identity/x.ts", "//\n".repeat(400))).to.equal("");
      expect(breaches("toolkit/identity/x.ts", "//\n".repeat(401))).to.match(/x\.ts:401: has 401 lines/);
    });

    it("refuses a floating pragma in a contract", () => {
      expect(breaches("contracts/token/Y.sol", FLOATING)).to.match(/Y\.sol:1: says \^0\.8\.26, but contracts are/);
    });

    it("refuses a pinned pragma in interfaces and types", () => {
      expect(breaches("contracts/token/IY.sol", `${PINNED}interface IY {}\n`)).to.match(/IY\.sol:1: pins the compiler/);
      expect(breaches("contracts/token/YTypes.sol", PINNED)).to.match(/YTypes\.sol:1: pins the compiler/);
    });
  });

  describe("errors", () => {
    it("refuses one that does not start with its contract's name", () => {
      const text = `${FLOATING}interface IY {\n    error YGone(uint256 id);\n    error Gone(uint256 id);\n}\n`;
      expect(breaches("contracts/token/IY.sol", text)).to.match(
        /^contracts\/token\/IY\.sol:4: declares Gone, but its errors/,
      );
    });
  });

  describe("interfaces", () => {
    it("refuses a contract that is called and has none beside it", () => {
      expect(breaches("contracts/token/Y.sol", `${PINNED}contract Y {\n${CALLED}`)).to.match(
        /Y\.sol:2: has external functions but no IY\.sol beside it/,
      );
    });

    it("finds the visibility of a function that spans lines", () => {
      const text = `${PINNED}contract Y {\n    function go(\n        uint256 x\n    ) external {}\n}\n`;
      expect(breaches("contracts/token/Y.sol", text)).to.match(/no IY\.sol beside it/);
    });

    it("accepts one that has it, abstract ones, libraries and mocks", () => {
      write("contracts/token/IY.sol", `${FLOATING}interface IY {}\n`);
      write("contracts/token/Z.sol", `${PINNED}abstract contract Z {\n${CALLED}`);
      write("contracts/libraries/L.sol", `${PINNED}library L {\n${CALLED}`);
      write("contracts/mocks/M.sol", `${PINNED}contract M {\n${CALLED}`);
      expect(breaches("contracts/token/Y.sol", `${PINNED}contract Y {\n${CALLED}`)).to.equal("");
    });
  });
});

describe("package: bindings", () => {
  it("names what is missing, stale and left over", () => {
    const committed = new Map([
      ["same.ts", "1"],
      ["stale.ts", "1"],
      ["orphan.ts", "1"],
    ]);
    const fresh = new Map([
      ["same.ts", "1"],
      ["stale.ts", "2"],
      ["missing.ts", "1"],
    ]);
    expect(differences(committed, fresh).map((line) => line.split(",")[0])).to.deep.equal([
      "typechain-types/missing.ts:1: is missing",
      "typechain-types/orphan.ts:1: belongs to no contract",
      "typechain-types/stale.ts:1: is stale",
    ]);
  });
});
