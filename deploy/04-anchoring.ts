import { DataAnchor__factory } from "../toolkit/contracts.js";
import type { Deployment } from "./deployment.js";

/** The logs. */
export async function deployAnchoring(deployment: Deployment): Promise<void> {
  await deployment.deploy("DataAnchor", DataAnchor__factory, deployment.address("DeviceRegistry"));
}
