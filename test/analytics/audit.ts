import { expect } from "chai";
import { ANY_TERMS, contributionsOf, openMarket, PURPOSE, proposed, treeOf } from "./market.js";

describe("Analytics under attack", () => {
  it("leaves an honest proposer its bond, though an owner revokes and grants anew after the request", async () => {
    const market = await openMarket();
    const tree = treeOf(contributionsOf(market));
    const request = await proposed(market, tree);
    const griefer = market.owners[0] ?? market.stranger;
    const place = tree.leaves.findIndex(({ owner }) => owner === griefer.address);
    const leaf = tree.leaves[place];
    if (!leaf) throw new Error("No leaf.");
    const { path, siblings } = tree.prove(place);
    const refused = () =>
      expect(
        market.analytics.connect(griefer).challengeMember(request, leaf, path, siblings),
      ).to.be.revertedWithCustomError(market.analytics, "AnalyticsMemberIsEligible");
    await market.consents.connect(griefer).grant(PURPOSE, { ...ANY_TERMS, expiry: 4_000_000_001n });
    await refused();
    await market.consents.connect(griefer).revoke(PURPOSE);
    await market.consents.connect(griefer).grant(PURPOSE, { ...ANY_TERMS, expiry: 4_000_000_002n });
    await refused();
  });
});
