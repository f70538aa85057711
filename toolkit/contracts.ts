/** The typed bindings of the contracts: `X__factory.connect(address, runner)` and the types of their calls. */

export type {
  Analytics,
  Authority,
  ClaimDesk,
  ConsentRegistry,
  DataAnchor,
  DeviceRegistry,
  ITC,
  PayoutPool,
  PayoutRoller,
} from "../typechain-types/index.js";
export {
  Analytics__factory,
  Authority__factory,
  ClaimDesk__factory,
  ConsentRegistry__factory,
  DataAnchor__factory,
  DeviceRegistry__factory,
  ITC__factory,
  P256Verifier__factory,
  PayoutPool__factory,
  PayoutRoller__factory,
} from "../typechain-types/index.js";
