import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Interface, type InterfaceAbi } from "ethers";
import { addressOf, creationData, FACTORY, FACTORY_COST, FACTORY_DEPLOYER, FACTORY_TRANSACTION } from "./create2.js";
import type { Parameters } from "./parameters.js";

/** The contracts of a deployment, by name. */
export interface Addresses {
  readonly Authority: string;
  readonly ITC: string;
  readonly P256Verifier: string;
  readonly RsaVerifier: string;
  readonly Erc1271Verifier: string;
  readonly DeviceRegistry: string;
  readonly Attestations: string;
  readonly ClaimDesk: string;
  readonly Provenance: string;
  readonly DataAnchor: string;
  readonly FeedFactory: string;
  readonly BandCover: string;
  readonly CarbonLedger: string;
  readonly Holdings: string;
  readonly ConsentRegistry: string;
  readonly Analytics: string;
  readonly Eligibility: string;
  readonly DeviceRegions: string;
  readonly QuestionDesk: string;
  readonly ResultCourt: string;
  readonly ResultClaims: string;
  readonly PayoutRoller: string;
  readonly PayoutLists: string;
  readonly PayoutPoolFactory: string;
  readonly PayoutPool: string;
  /** Where partials are proved; `deployPartialVerifier` isn't one of the steps that always run. */
  readonly Groth16Verifier?: string;
}

/** What a deployment needs of a chain. */
export interface DeployTarget {
  readonly chainId: bigint;
  /** The account that administers and holds the supply at first. */
  readonly operator: string;
  codeAt(address: string): Promise<string>;
  /** Wei. */
  balanceOf(address: string): Promise<bigint>;
  call(to: string, data: string): Promise<string>;
  /** Sends a call as the operator and waits until it is mined. */
  send(to: string, data: string, what: string, value?: bigint): Promise<void>;
  /** Sends a transaction that is signed already and waits until it is mined. */
  sendRaw(serialized: string, what: string): Promise<void>;
}

/** What of a typechain factory a deployment needs. */
interface Binding {
  readonly abi: InterfaceAbi;
  readonly bytecode: string;
}

/** What one run of the steps knows and has done. Everything that it finds on the chain, it leaves as it is. */
export class Deployment {
  readonly addresses: Partial<Record<keyof Addresses, string>> = {};
  /** What the contracts are linked with: parts of them that run in their storage, nothing to call. */
  readonly libraries: Record<string, string> = {};
  private readonly abis: Partial<Record<keyof Addresses, InterfaceAbi>> = {};

  constructor(
    readonly target: DeployTarget,
    readonly parameters: Parameters,
    readonly log: (line: string) => void,
  ) {}

  /** The address that an earlier step left. */
  address(name: keyof Addresses): string {
    const address = this.addresses[name];
    if (!address) throw new Error(`A step needs ${name} before the step that deploys it.`);
    return address;
  }

  /** Makes sure that the deterministic deployment proxy is there. */
  async ensureFactory(): Promise<void> {
    if ((await this.target.codeAt(FACTORY)) !== "0x") return;
    const lacking = FACTORY_COST - (await this.target.balanceOf(FACTORY_DEPLOYER));
    if (lacking > 0n) await this.target.send(FACTORY_DEPLOYER, "0x", "fund the deployment proxy", lacking);
    await this.target.sendRaw(FACTORY_TRANSACTION, "create the deployment proxy");
    this.log(`created the deployment proxy at ${FACTORY}`);
  }

  /** Deploys a contract unless it is there. The address follows from its code and arguments. */
  async deploy(name: keyof Addresses, binding: Binding, ...args: readonly unknown[]): Promise<string> {
    const address = await this.ensure(name, binding.bytecode + new Interface(binding.abi).encodeDeploy(args).slice(2));
    this.record(name, address, binding.abi);
    return address;
  }

  /** Deploys a library that contracts are linked with, unless it is there. */
  async deployLibrary(name: string, bytecode: string): Promise<string> {
    const address = await this.ensure(name, bytecode);
    this.libraries[name] = address;
    return address;
  }

  /** Notes a contract that another one has created. */
  record(name: keyof Addresses, address: string, abi: InterfaceAbi): void {
    this.addresses[name] = address;
    this.abis[name] = abi;
  }

  /** Asks a contract. */
  async read(name: keyof Addresses, method: string, ...args: readonly unknown[]): Promise<unknown[]> {
    const contract = this.interfaceOf(name);
    const answer = await this.target.call(this.address(name), contract.encodeFunctionData(method, args));
    return contract.decodeFunctionResult(method, answer).toArray();
  }

  /** Calls a contract as the operator. */
  async write(name: keyof Addresses, method: string, ...args: readonly unknown[]): Promise<void> {
    const data = this.interfaceOf(name).encodeFunctionData(method, args);
    await this.target.send(this.address(name), data, `call ${name}.${method}`);
  }

  /** Writes addresses.json and abi/<Contract>.json below `folder`/<chain id>. */
  async save(folder: string): Promise<string> {
    const home = join(folder, this.target.chainId.toString());
    await mkdir(join(home, "abi"), { recursive: true });
    await writeFile(
      join(home, "addresses.json"),
      `${JSON.stringify({ ...this.addresses, libraries: this.libraries }, null, 2)}\n`,
    );
    for (const [name, abi] of Object.entries(this.abis)) {
      await writeFile(join(home, "abi", `${name}.json`), `${JSON.stringify({ abi }, null, 2)}\n`);
    }
    return home;
  }

  private async ensure(name: string, initCode: string): Promise<string> {
    const address = addressOf(initCode);
    if ((await this.target.codeAt(address)) === "0x") {
      await this.target.send(FACTORY, creationData(initCode), `deploy ${name}`);
      this.log(`deployed ${name} at ${address}`);
    } else {
      this.log(`found ${name} at ${address}`);
    }
    return address;
  }

  private interfaceOf(name: keyof Addresses): Interface {
    const abi = this.abis[name];
    if (!abi) throw new Error(`A step needs ${name} before the step that deploys it.`);
    return new Interface(abi);
  }
}
