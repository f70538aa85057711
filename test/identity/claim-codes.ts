import { expect } from "chai";
import {
  ClaimError,
  ClaimTree,
  claimCode,
  claimKey,
  formatClaimCode,
  newClaimCode,
  parseClaimCode,
} from "../../toolkit/identity/claims.js";
import { fromHex, toHex } from "../../toolkit/internal/bytes.js";
import { boxes, entryOf, first } from "./boxes.js";
import { keyOf } from "./fleet.js";

describe("claim codes", () => {
  const SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  const known = claimCode(fromHex("0c52b19e7f3dd84466a1f0237b9845ce"));

  /** The stable code of the error that reading raises. */
  function failure(read: () => unknown): string {
    try {
      read();
    } catch (error) {
      if (error instanceof ClaimError) return error.code;
      throw error;
    }
    return "none";
  }

  it("are read as they were printed, however they are typed", () => {
    for (const code of [known, ...Array.from({ length: 50 }, newClaimCode)]) {
      const text = formatClaimCode(code);
      expect(text).to.match(
        /^[0-7][0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{5}){4}-[0-9A-HJKMNP-TV-Z][0-9A-HJKMNP-Z*~$=]$/,
      );
      const careless = ` ${text.toLowerCase().replaceAll("-", " ").replaceAll("0", "o").replaceAll("1", "l")} `;
      expect(parseClaimCode(text)).to.deep.equal(code);
      expect(parseClaimCode(careless)).to.deep.equal(code);
    }
    // Fixed, so that boxes which were printed stay readable.
    expect(formatClaimCode(known)).to.equal("0CAAR-SWZSX-V126D-8FG4D-XSGHE-EQ");
  });

  it("name what is wrong with a typo: every wrong symbol and every swap", () => {
    const typed = formatClaimCode(known).replaceAll("-", "");
    for (let k = 0; k < typed.length; k++) {
      for (const symbol of SYMBOLS) {
        if (symbol === typed[k]) continue;
        const wrong = typed.slice(0, k) + symbol + typed.slice(k + 1);
        expect(failure(() => parseClaimCode(wrong))).to.match(/^ITC_CLAIM_(CHECK|SYMBOL)$/);
      }
      const swapped = typed.slice(0, k) + (typed[k + 1] ?? "") + (typed[k] ?? "") + typed.slice(k + 2);
      if (swapped !== typed && k + 1 < typed.length) {
        expect(failure(() => parseClaimCode(swapped))).to.match(/^ITC_CLAIM_(CHECK|SYMBOL)$/);
      }
    }
    for (const text of ["", "0CAAR", typed.slice(1), `${typed}0`]) {
      expect(failure(() => parseClaimCode(text))).to.equal("ITC_CLAIM_LENGTH");
    }
    for (const text of [`8${typed.slice(1)}`, `0U${typed.slice(2)}`, `0!${typed.slice(2)}`, `0é${typed.slice(2)}`]) {
      expect(failure(() => parseClaimCode(text))).to.equal("ITC_CLAIM_SYMBOL");
    }
    expect(() => parseClaimCode(`0U${typed.slice(2)}`)).to.throw(ClaimError, '"U" can\'t be symbol 2 of a code.');
  });

  it("are refused where they aren't random", () => {
    const weak = [
      new Uint8Array(16),
      new Uint8Array(16).fill(0xff),
      Uint8Array.from({ length: 16 }, (_, k) => k),
      Uint8Array.from({ length: 16 }, (_, k) => 250 - 3 * k),
      fromHex("00000000000000000000000000012345"),
    ];
    for (const bytes of weak) expect(failure(() => claimCode(bytes))).to.equal("ITC_CLAIM_WEAK");
    for (const length of [0, 15, 17, 32]) {
      expect(failure(() => claimCode(fromHex("5a".repeat(length))))).to.equal("ITC_CLAIM_LENGTH");
    }
    expect(failure(() => parseClaimCode("0".repeat(27)))).to.equal("ITC_CLAIM_WEAK");
    const made = Array.from({ length: 1_000 }, newClaimCode);
    expect(new Set(made.map(toHex)).size).to.equal(1_000);
    expect(made.map((code) => failure(() => claimCode(code)))).to.deep.equal(made.map(() => "none"));
  });

  it("make a key for each device, and a tree that finds them", () => {
    const ids = boxes.map(({ id }) => claimKey(id, known).id);
    expect(new Set(ids).size).to.equal(boxes.length);
    const tree = new ClaimTree(boxes.map((key) => entryOf(key)));
    expect(tree.size).to.equal(boxes.length);
    expect(failure(() => tree.prove(keyOf("elsewhere").id))).to.equal("ITC_CLAIM_UNKNOWN");
    expect(failure(() => new ClaimTree([entryOf(first), entryOf(first, known)]))).to.equal("ITC_CLAIM_TWICE");
  });
});
