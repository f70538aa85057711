/** The typed bindings of the contracts: `X__factory.connect(address, runner)` and the types of their calls. */

export type {
  Analytics,
  Attestations,
  Authority,
  ConsentRegistry,
  DataAnchor,
  DeviceRegistry,
  ITC,
  PayoutPool,
  PayoutRoller,
} from "../typechain-types/index.js";
export {
  Analytics__factory,
  Attestations__factory,
  Authority__factory,
  ConsentRegistry__factory,
  DataAnchor__factory,
  DelegateCare__factory,
  DeviceMetadata__factory,
  DeviceMoves__factory,
  DeviceRegistry__factory,
  Erc1271Verifier__factory,
  ITC__factory,
  KeyCare__factory,
  KeyVerifiers__factory,
  LotProofs__factory,
  P256Verifier__factory,
  PayoutPool__factory,
  PayoutRoller__factory,
  RsaVerifier__factory,
} from "../typechain-types/index.js";
