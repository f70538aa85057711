import { ITC__factory } from "../toolkit/contracts.js";
import type { Deployment } from "./deployment.js";

/** ITC; the whole supply goes to the operator. */
export async function deployToken(deployment: Deployment): Promise<void> {
  await deployment.deploy("ITC", ITC__factory, deployment.target.operator);
}
