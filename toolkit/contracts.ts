/** The typed bindings of the contracts: `X__factory.connect(address, runner)` and the types of their calls. */

export type {
  Analytics,
  Authority,
  ConsentRegistry,
  DataAnchor,
  DeviceRegistry,
  ITC,
  PayoutPool,
  PayoutRoller,
  Provenance,
} from "../typechain-types/index.js";
export {
  Analytics__factory,
  Authority__factory,
  ConsentRegistry__factory,
  DataAnchor__factory,
  DeviceRegistry__factory,
  ITC__factory,
  P256Verifier__factory,
  PayoutPool__factory,
  PayoutRoller__factory,
  Provenance__factory,
} from "../typechain-types/index.js";
