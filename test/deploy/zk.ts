import { expect } from "chai";
import { Deployment } from "../../deploy/deployment.js";
import { parametersOf } from "../../deploy/parameters.js";
import { deployPartialVerifier } from "../../deploy/zk.js";
import { DEVELOPMENT_KEYS } from "../../deploy/zk-keys.js";
import { Groth16Verifier__factory } from "../../toolkit/contracts.js";
import { type Deployed, deployed } from "../support.js";

describe("deploying the verifier of partials", () => {
  let world: Deployed;

  before(async () => {
    world = await deployed();
  });

  const on = (chainId: bigint): Deployment =>
    new Deployment({ ...world.target, chainId }, parametersOf(chainId), () => {});

  it("puts it on a chain for development, once", async () => {
    const deployment = on(world.chainId);
    await deployPartialVerifier(deployment);
    const address = deployment.address("Groth16Verifier");
    const verifier = Groth16Verifier__factory.connect(address, world.operator);
    expect(await verifier.isDevelopment()).to.equal(DEVELOPMENT_KEYS);
    const before = await world.ethers.provider.getBlockNumber();
    const again = on(world.chainId);
    await deployPartialVerifier(again);
    expect(again.address("Groth16Verifier")).to.equal(address);
    expect(await world.ethers.provider.getBlockNumber()).to.equal(before);
  });

  it("refuses any other chain while keys are for development, before it sends anything", async () => {
    const before = await world.ethers.provider.getBlockNumber();
    for (const chainId of [1n, 10n, 11155111n]) {
      const refused = await deployPartialVerifier(on(chainId), true).then(
        () => "deployed",
        (error: Error) => error.message,
      );
      expect(refused).to.include(`chain ${chainId} gets none`).and.to.include("docs/zk.md");
    }
    expect(await world.ethers.provider.getBlockNumber()).to.equal(before);
  });
});
