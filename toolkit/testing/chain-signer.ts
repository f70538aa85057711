import { type Interface, type TransactionRequest, type TransactionResponse, Wallet } from "ethers";
import { ITC__factory, QuestionDesk__factory, ResultCourt__factory } from "../contracts.js";
import { type Account, type Call, type Chain, ChainError, type Receipt } from "./chain.js";

const INTERFACES: Interface[] = [ResultCourt__factory, QuestionDesk__factory, ITC__factory].map((factory) =>
  factory.createInterface(),
);

/** Those that say too little by their names. */
const WORDS: Readonly<Record<string, string>> = {
  approve: "approve ITC",
  demand: "demand a leaf",
  show: "show a leaf",
  question: "question a partial",
  settle: "settle a question",
};

/** Signs for a component that works with an ethers signer; what it sends goes by the harness's clock, and is counted. */
export class ChainSigner extends Wallet {
  readonly sent: { readonly receipt: Receipt; readonly call: Call }[] = [];

  constructor(
    private readonly chain: Chain,
    private readonly account: Account,
  ) {
    super(account.wallet.privateKey, chain.reader);
  }

  override async sendTransaction({ to, data }: TransactionRequest): Promise<TransactionResponse> {
    const call = { to: String(to), data: data ?? "0x", what: nameOf(data ?? "0x") };
    const receipt = await this.chain.send(this.account, call);
    this.sent.push({ receipt, call });
    const response = await this.chain.reader.getTransaction(receipt.hash);
    if (response) return response;
    throw new ChainError("ITC_CHAIN_LOST", `Transaction ${receipt.hash} (${call.what}) is gone.`, "Check the node.");
  }
}

/** What a call is, as the gas tables have it: "challenge node" for `challengeNode`. */
function nameOf(data: string): string {
  const found = INTERFACES.map((one) => one.getFunction(data.slice(0, 10))).find((one) => one !== null);
  const name = found?.name ?? "unknown call";
  return WORDS[name] ?? name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
