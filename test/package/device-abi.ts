import { readFile } from "node:fs/promises";
import { expect } from "chai";
import { DEVICE_FACING_CONTRACTS, type DeviceFacingContract, deviceAbiOf } from "../../toolkit/device-abi.js";

const TYPES = /^(bool|address|u?int(8|16|32|64|128|256)|bytes([1-9]|[12]\d|3[012])?|string)(\[\d*\])?$/;
const C_WORDS = new Set(
  (
    "auto break case char const continue default do double else enum extern float for goto if inline int long register restrict return " +
    "short signed sizeof static struct switch typedef union unsigned void volatile while i tx_ptr"
  ).split(" "),
);

describe("the ABI for devices", () => {
  it("lies in abi/device as the code makes it", async () => {
    for (const contract of DEVICE_FACING_CONTRACTS) {
      const text = await readFile(new URL(`../../abi/device/${contract}.json`, import.meta.url), "utf8");
      expect(JSON.parse(text)).to.deep.equal(JSON.parse(JSON.stringify(deviceAbiOf(contract))));
    }
  });

  const expected: Record<DeviceFacingContract, number> = {
    DataAnchor: 12,
    DeviceFeed: 6,
    DeviceRegistry: 16,
    Attestations: 6,
    ClaimDesk: 2,
  };
  for (const contract of Object.keys(expected) as DeviceFacingContract[]) {
    describe(contract, () => {
      const { abi } = deviceAbiOf(contract);

      it("has every function that devices call, once", () => {
        const names = abi.map(({ name }) => name);
        expect([names.length, new Set(names).size]).to.deep.equal([expected[contract], expected[contract]]);
      });

      for (const { name, inputs } of abi) {
        it(`${name} takes only what a C generator can say, by usable names`, () => {
          const given = (inputs ?? []).map((input) => input.name ?? "");
          for (const { type, name: input } of inputs ?? []) {
            expect(type).to.match(TYPES);
            expect(input).to.match(/^[a-zA-Z]\w*$/);
            expect(C_WORDS.has(input ?? "")).to.equal(false);
            expect(given.includes(`${input}Len`)).to.equal(false);
          }
          expect(new Set(given).size).to.equal(given.length);
        });
      }
    });
  }
});
