import { Signature, TypedDataEncoder } from "ethers";
import { ITC__factory } from "../toolkit/contracts.js";
import type { Account } from "../toolkit/testing/chain.js";
import { secretOf } from "../toolkit/testing/fixture.js";
import { type Bench, type Measured, mock } from "./rig.js";

const ITC_UNIT = 10n ** 18n;
const NEVER = 4_000_000_000n;

/** Transfers of ITC and of OpenZeppelin's plain token, and an EIP-3009 authorisation. */
export async function measureToken(bench: Bench): Promise<Measured[]> {
  const { operator, addresses } = bench;
  const receiver = await bench.account("receiver");
  const plain = await mock("PlainToken");
  const peer = await bench.deploy(plain.abi, plain.bytecode, [operator.address]);
  const transfer = async (token: string): Promise<number> => {
    await bench.send(operator, token, ITC__factory.abi, "transfer", [receiver.address, 5n * ITC_UNIT]);
    return bench.send(operator, token, ITC__factory.abi, "transfer", [receiver.address, ITC_UNIT]);
  };
  const gas = await transfer(addresses.ITC);
  const beside = { name: "@openzeppelin/contracts ERC20", gas: await transfer(peer), measured: true };
  return [
    { id: "token.transfer", gas, peer: beside },
    { id: "token.transferWithAuthorization", gas: await authorised(bench, receiver) },
  ];
}

async function authorised(bench: Bench, receiver: Account): Promise<number> {
  const { operator, addresses, chain } = bench;
  const domain = { name: "IoT Chain", version: "1", chainId: chain.id, verifyingContract: addresses.ITC };
  const fields = [
    "address from",
    "address to",
    "uint256 value",
    "uint256 validAfter",
    "uint256 validBefore",
    "bytes32 nonce",
  ];
  const types = {
    TransferWithAuthorization: fields.map((field) => ({
      type: field.split(" ")[0] ?? "",
      name: field.split(" ")[1] ?? "",
    })),
  };
  const said = {
    from: operator.address,
    to: receiver.address,
    value: ITC_UNIT,
    validAfter: 0n,
    validBefore: NEVER,
    nonce: secretOf(1, "nonce"),
  };
  const { v, r, s } = Signature.from(operator.wallet.signingKey.sign(TypedDataEncoder.hash(domain, types, said)));
  const args = [said.from, said.to, said.value, said.validAfter, said.validBefore, said.nonce, v, r, s];
  // The binding overloads the name for signatures as bytes; this is the form of EIP-3009 itself.
  const abi = [
    "function transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)",
  ];
  return bench.send(receiver, addresses.ITC, abi, "transferWithAuthorization", args);
}
