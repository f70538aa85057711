import { expect } from "chai";
import { Recent } from "../../toolkit/analytics/recent.js";

describe("Recent values", () => {
  it("keep those that were asked for last, and let go of others", () => {
    const recent = new Recent<number>(2);
    recent.set("a", 1);
    recent.set("b", 2);
    expect(recent.get("a")).to.equal(1);
    recent.set("c", 3);
    expect(["a", "b", "c"].map((key) => recent.get(key))).to.deep.equal([1, undefined, 3]);
    expect(recent.size).to.equal(2);
  });

  it("put a value in the place of an earlier one", () => {
    const recent = new Recent<number>(2);
    for (let k = 0; k < 9; k++) recent.set("a", k);
    expect([recent.get("a"), recent.size]).to.deep.equal([8, 1]);
  });

  it("let go of one that is unwanted", () => {
    const recent = new Recent<number>(2);
    recent.set("a", 1);
    recent.set("b", 2);
    recent.delete("a");
    recent.set("c", 3);
    expect([recent.get("a"), recent.get("b"), recent.get("c")]).to.deep.equal([undefined, 2, 3]);
  });
});
