import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { type Addresses, type DeployTarget, deployAll } from "../../deploy/index.js";
import { parametersOf } from "../../deploy/parameters.js";
import { type AddressesError, readAddresses } from "../../toolkit/addresses.js";
import { Authority__factory } from "../../toolkit/contracts.js";
import { RevertedError } from "../../toolkit/reverts.js";
import { accountOf, Chain, ChainError } from "../../toolkit/testing/chain.js";
import { startEmbedded } from "../../toolkit/testing/embedded.js";
import { deployFixture, deployTarget, GAS_MONEY, secretOf } from "../../toolkit/testing/fixture.js";

async function withChain<T>(use: (chain: Chain) => Promise<T>): Promise<T> {
  const { provider, close } = await startEmbedded({ start: 1_700_000_000n });
  try {
    return await use(await Chain.connect(provider));
  } finally {
    await close();
  }
}

/** A target that counts what it sends, and gives up after so many. */
function counting(target: DeployTarget, most = Number.POSITIVE_INFINITY): DeployTarget & { sent: number } {
  const counted = {
    ...target,
    sent: 0,
    send: async (...args: Parameters<DeployTarget["send"]>) => {
      if (counted.sent >= most) throw new Error("cut off");
      counted.sent += 1;
      await target.send(...args);
    },
    sendRaw: async (...args: Parameters<DeployTarget["sendRaw"]>) => {
      if (counted.sent >= most) throw new Error("cut off");
      counted.sent += 1;
      await target.sendRaw(...args);
    },
  };
  return counted;
}

describe("deploying", () => {
  it("finds what is there: a second run sends nothing, and two chains get the same addresses", async () => {
    const both: Addresses[] = [];
    for (let run = 0; run < 2; run++) {
      await withChain(async (chain) => {
        const { operator, addresses } = await deployFixture(chain);
        const again = counting(deployTarget(chain, operator));
        expect(await deployAll(again)).to.deep.equal(addresses);
        expect(again.sent).to.equal(0);
        for (const address of Object.values(addresses))
          expect((await chain.reader.getCode(address)).length).to.be.greaterThan(2);
        both.push(addresses);
      });
    }
    expect(both[0]).to.deep.equal(both[1]);
  });

  it("goes on wherever it was cut off", async () => {
    const whole = await withChain(async (chain) => (await deployFixture(chain)).addresses);
    await withChain(async (chain) => {
      const operator = accountOf(secretOf(0, "operator"));
      await chain.fund(operator.address, GAS_MONEY, operator);
      let sent = 0;
      // Each run gets one transaction further, then is cut off; the last one has nothing left to send.
      for (;;) {
        const target = counting(deployTarget(chain, operator), 1);
        const done = await deployAll(target).catch((error: unknown) => error);
        sent += target.sent;
        if (!(done instanceof Error)) {
          expect(done).to.deep.equal(whole);
          break;
        }
        expect([done.message, target.sent]).to.deep.equal(["cut off", 1]);
      }
      expect(sent).to.be.greaterThan(12);
      const authority = Authority__factory.connect(whole.Authority, chain.reader);
      for (const role of [1n, 2n]) expect((await authority.hasRole(role, operator.address)).isMember).to.equal(true);
    });
  });

  it("leaves addresses and ABIs by chain id, which can be read back", async () => {
    const folder = await mkdtemp(join(tmpdir(), "deploy-"));
    try {
      await withChain(async (chain) => {
        const operator = accountOf(secretOf(0, "operator"));
        await chain.fund(operator.address, GAS_MONEY, operator);
        const addresses = await deployAll(deployTarget(chain, operator), { folder });
        expect(await readAddresses(folder, 31337n)).to.deep.equal(addresses);
        const abis = await readdir(join(folder, "31337", "abi"));
        expect(abis.sort()).to.deep.equal(
          Object.keys(addresses)
            .map((name) => `${name}.json`)
            .sort(),
        );
        const { abi } = JSON.parse(await readFile(join(folder, "31337", "abi", "DataAnchor.json"), "utf8"));
        expect(abi.some(({ name }: { name: string }) => name === "append")).to.equal(true);
      });
      const code = async (chainId: bigint) =>
        readAddresses(folder, chainId).catch((error: unknown) => (error as AddressesError).code);
      expect(await code(1n)).to.equal("ITC_ADDRESSES_NONE");
      await writeFile(join(folder, "31337", "addresses.json"), '{"ITC":"0x1"}');
      expect(await code(31337n)).to.equal("ITC_ADDRESSES_MALFORMED");
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("takes a chain's own parameters, else the default", () => {
    expect(parametersOf(31337n).minimumChallengeWindow).to.equal(3600n);
    expect(parametersOf(5n)).to.deep.equal({
      minimumBondPerDevice: 10n ** 18n,
      keyRecoveryDelay: 259_200n,
      bondDelay: 2_592_000n,
      minimumChallengeWindow: 86_400n,
      answerTime: 43_200n,
      questionDeposit: 10n * 10n ** 18n,
      zeroKnowledge: true,
      claimPeriod: 31_536_000n,
      minimumProposerBond: 100n * 10n ** 18n,
    });
  });
});

describe("the harness's chain", () => {
  it("says by name what a contract refused, and the account can go on", () =>
    withChain(async (chain) => {
      const { operator, addresses } = await deployFixture(chain);
      const authority = Authority__factory.createInterface();
      const stranger = accountOf(secretOf(0, "stranger"));
      await chain.fund(stranger.address, GAS_MONEY, operator);
      const data = authority.encodeFunctionData("grantRole", [1n, stranger.address, 0]);
      const error: unknown = await chain
        .send(stranger, { to: addresses.Authority, data, what: "grant" })
        .catch((cause: unknown) => cause);
      expect(error).to.be.instanceOf(RevertedError);
      expect((error as RevertedError).error?.name).to.equal("AccessManagerUnauthorizedAccount");
      await chain.send(stranger, { to: operator.address, data: "0x", value: 1n, what: "go on" });
      expect(await chain.reader.getTransactionCount(stranger.address)).to.equal(1);
    }));

  it("doesn't pay twice for a raw transaction that is sent twice", () =>
    withChain(async (chain) => {
      const payer = accountOf(secretOf(0, "payer"));
      await chain.fund(payer.address, GAS_MONEY, payer);
      const transaction = {
        type: 2,
        chainId: chain.id,
        nonce: 0,
        to: `0x${"11".repeat(20)}`,
        value: 5n,
        gasLimit: 21_000n,
        maxFeePerGas: 10n ** 10n,
      };
      const raw = await payer.wallet.signTransaction(transaction);
      await chain.sendRaw(raw, "pay");
      await chain.sendRaw(raw, "pay").catch(() => undefined);
      expect(await chain.reader.getBalance(transaction.to)).to.equal(5n);
    }));

  it("says so when nobody answers", async () => {
    const dead = { request: () => Promise.reject(new Error("connection refused")) };
    const error: unknown = await Chain.connect(dead).catch((cause: unknown) => cause);
    expect(error).to.be.instanceOf(ChainError);
    expect((error as ChainError).code).to.equal("ITC_CHAIN_UNREACHABLE");
  });
});
