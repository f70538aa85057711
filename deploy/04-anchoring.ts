import { BandCover__factory, DataAnchor__factory, FeedFactory__factory } from "../toolkit/contracts.js";
import type { Deployment } from "./deployment.js";

/** The logs, the feeds, and the example of a contract that acts on a feed. */
export async function deployAnchoring(deployment: Deployment): Promise<void> {
  await deployment.deploy("DataAnchor", DataAnchor__factory, deployment.address("DeviceRegistry"));
  const [registry, attestations] = [deployment.address("DeviceRegistry"), deployment.address("Attestations")];
  await deployment.deploy("FeedFactory", FeedFactory__factory, registry, attestations);
  await deployment.deploy("BandCover", BandCover__factory, deployment.address("ITC"));
}
