import { network } from "hardhat";
import { type Addresses, type DeployTarget, deployAll } from "../deploy/index.js";
import {
  Analytics__factory,
  Attestations__factory,
  Authority__factory,
  BandCover__factory,
  CarbonLedger__factory,
  ClaimDesk__factory,
  ConsentRegistry__factory,
  DataAnchor__factory,
  DeviceRegions__factory,
  DeviceRegistry__factory,
  Eligibility__factory,
  FeedFactory__factory,
  Holdings__factory,
  ITC__factory,
  PayoutLists__factory,
  PayoutPool__factory,
  PayoutRoller__factory,
  Provenance__factory,
  QuestionDesk__factory,
  ResultClaims__factory,
  ResultCourt__factory,
} from "../toolkit/contracts.js";
import { Digests } from "../toolkit/identity/digests.js";

/** A fresh chain with everything deployed by its first signer, who holds all roles and the whole supply. */
export async function deployed(hardfork: "osaka" | "prague" = "osaka") {
  const connection = await network.create({ network: "default", chainType: "l1", override: { hardfork } });
  const { ethers, networkHelpers, provider } = connection;
  const [operator, ...accounts] = await ethers.getSigners();
  if (!operator) throw new Error("The chain has no signer.");
  const { chainId } = await ethers.provider.getNetwork();
  const target: DeployTarget = {
    chainId,
    operator: operator.address,
    codeAt: (address) => ethers.provider.getCode(address),
    balanceOf: (address) => ethers.provider.getBalance(address),
    call: (to, data) => ethers.provider.call({ to, data }),
    send: async (to, data, _what, value) => void (await (await operator.sendTransaction({ to, data, value })).wait()),
    sendRaw: async (serialized) => void (await (await ethers.provider.broadcastTransaction(serialized)).wait()),
  };
  const addresses: Addresses = await deployAll(target);
  const contracts = {
    analytics: Analytics__factory.connect(addresses.Analytics, operator),
    attestations: Attestations__factory.connect(addresses.Attestations, operator),
    anchor: DataAnchor__factory.connect(addresses.DataAnchor, operator),
    authority: Authority__factory.connect(addresses.Authority, operator),
    covers: BandCover__factory.connect(addresses.BandCover, operator),
    carbon: CarbonLedger__factory.connect(addresses.CarbonLedger, operator),
    claims: ClaimDesk__factory.connect(addresses.ClaimDesk, operator),
    court: ResultCourt__factory.connect(addresses.ResultCourt, operator),
    desk: QuestionDesk__factory.connect(addresses.QuestionDesk, operator),
    eligibility: Eligibility__factory.connect(addresses.Eligibility, operator),
    holdings: Holdings__factory.connect(addresses.Holdings, operator),
    regions: DeviceRegions__factory.connect(addresses.DeviceRegions, operator),
    consents: ConsentRegistry__factory.connect(addresses.ConsentRegistry, operator),
    feeds: FeedFactory__factory.connect(addresses.FeedFactory, operator),
    itc: ITC__factory.connect(addresses.ITC, operator),
    lists: PayoutLists__factory.connect(addresses.PayoutLists, operator),
    pool: PayoutPool__factory.connect(addresses.PayoutPool, operator),
    resultClaims: ResultClaims__factory.connect(addresses.ResultClaims, operator),
    provenance: Provenance__factory.connect(addresses.Provenance, operator),
    registry: DeviceRegistry__factory.connect(addresses.DeviceRegistry, operator),
    roller: PayoutRoller__factory.connect(addresses.PayoutRoller, operator),
  };
  const digests = new Digests({ chainId, registry: addresses.DeviceRegistry });
  return { ...contracts, addresses, operator, accounts, chainId, digests, ethers, networkHelpers, provider, target };
}

export type Deployed = Awaited<ReturnType<typeof deployed>>;
