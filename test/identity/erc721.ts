import { expect } from "chai";
import { ZeroAddress } from "ethers";
import type { Deployed } from "../support.js";

/** Two tokens of one owner, none of another, and strangers to both. */
export interface Tokens {
  readonly world: Deployed;
  readonly token: bigint;
  readonly second: bigint;
  readonly unknown: bigint;
}

/** What ERC-721 and ERC-165 ask for. The first account owns the tokens. */
export function behavesLikeErc721(open: () => Tokens): void {
  const registry = () => open().world.registry;
  const account = (k: number) => open().world.accounts[k] ?? open().world.operator;
  const owner = () => account(0);
  const approved = () => account(1);
  const operator = () => account(2);
  const buyer = () => account(3);
  const stranger = () => account(4);
  const refused = (call: Promise<unknown>, error: string, ...args: unknown[]) =>
    expect(call)
      .to.be.revertedWithCustomError(registry(), error)
      .withArgs(...args);

  const SAFE = "safeTransferFrom(address,address,uint256)";
  const SAFE_WITH_DATA = "safeTransferFrom(address,address,uint256,bytes)";

  beforeEach(async () => {
    const { token } = open();
    await registry().connect(owner()).approve(approved().address, token);
    await registry().connect(owner()).setApprovalForAll(operator().address, true);
  });

  it("counts and names owners", async () => {
    const { token, unknown } = open();
    expect(await registry().balanceOf(owner().address)).to.equal(2n);
    expect(await registry().balanceOf(buyer().address)).to.equal(0n);
    expect(await registry().ownerOf(token)).to.equal(owner().address);
    expect([await registry().name(), await registry().symbol()]).to.deep.equal(["IoT Chain Device", "ITCD"]);
    await refused(registry().balanceOf(ZeroAddress), "ERC721InvalidOwner", ZeroAddress);
    for (const id of [unknown, 0n, 2n ** 160n + token, 2n ** 256n - 1n]) {
      await refused(registry().ownerOf(id), "ERC721NonexistentToken", id);
      await refused(registry().getApproved(id), "ERC721NonexistentToken", id);
    }
  });

  it("transfers for the owner, the approved account and an operator, and ends the approval", async () => {
    const { token, second, world } = open();
    for (const by of [owner(), approved(), operator()]) {
      const snapshot = await world.networkHelpers.takeSnapshot();
      await expect(registry().connect(by).transferFrom(owner().address, buyer().address, token))
        .to.emit(registry(), "Transfer")
        .withArgs(owner().address, buyer().address, token);
      expect(await registry().ownerOf(token)).to.equal(buyer().address);
      expect(await registry().getApproved(token)).to.equal(ZeroAddress);
      expect(await registry().balanceOf(owner().address)).to.equal(1n);
      expect(await registry().balanceOf(buyer().address)).to.equal(1n);
      await refused(
        registry().connect(by).transferFrom(buyer().address, by.address, token),
        "ERC721InsufficientApproval",
        by.address,
        token,
      );
      await snapshot.restore();
    }
    await refused(
      registry().connect(approved()).transferFrom(owner().address, buyer().address, second),
      "ERC721InsufficientApproval",
      approved().address,
      second,
    );
  });

  it("refuses transfers by strangers, from others, to nobody, and of nothing", async () => {
    const { token, unknown } = open();
    const move = (by: ReturnType<typeof owner>, from: string, to: string, id = token) =>
      registry().connect(by).transferFrom(from, to, id);
    const [from, to] = [owner().address, buyer().address];
    await refused(move(stranger(), from, to), "ERC721InsufficientApproval", stranger().address, token);
    await refused(move(owner(), to, to), "ERC721IncorrectOwner", to, token, from);
    await refused(move(owner(), from, ZeroAddress), "ERC721InvalidReceiver", ZeroAddress);
    await refused(move(owner(), from, to, unknown), "ERC721NonexistentToken", unknown);
    expect(await registry().ownerOf(token)).to.equal(from);
  });

  it("asks a contract whether it takes the token, in safe transfers alone", async () => {
    const { token, second, world } = open();
    const deaf = world.addresses.ITC;
    const kind = await (await world.ethers.deployContract("BusyOwner")).getAddress();
    const mine = registry().connect(owner());
    for (const call of [
      () => mine[SAFE](owner().address, deaf, token),
      () => mine[SAFE_WITH_DATA](owner().address, deaf, token, "0x0102"),
    ]) {
      await refused(call(), "ERC721InvalidReceiver", deaf);
      expect(await registry().ownerOf(token)).to.equal(owner().address);
    }
    await mine[SAFE](owner().address, kind, token);
    await mine[SAFE_WITH_DATA](owner().address, kind, second, "0x0102");
    expect(await registry().balanceOf(kind)).to.equal(2n);
    await refused(
      registry().connect(stranger())[SAFE](kind, stranger().address, token),
      "ERC721InsufficientApproval",
      stranger().address,
      token,
    );
  });

  it("lets the owner and an operator approve, and nobody else", async () => {
    const { token, unknown } = open();
    for (const by of [owner(), operator()]) {
      await expect(registry().connect(by).approve(buyer().address, token))
        .to.emit(registry(), "Approval")
        .withArgs(owner().address, buyer().address, token);
      expect(await registry().getApproved(token)).to.equal(buyer().address);
    }
    for (const by of [buyer(), stranger()]) {
      await refused(registry().connect(by).approve(by.address, token), "ERC721InvalidApprover", by.address);
    }
    await refused(registry().connect(owner()).approve(buyer().address, unknown), "ERC721NonexistentToken", unknown);
    await registry().connect(owner()).approve(ZeroAddress, token);
    expect(await registry().getApproved(token)).to.equal(ZeroAddress);
  });

  it("lets an owner name operators, and take that back", async () => {
    const { token } = open();
    const mine = registry().connect(owner());
    await refused(mine.setApprovalForAll(ZeroAddress, true), "ERC721InvalidOperator", ZeroAddress);
    await expect(mine.setApprovalForAll(operator().address, false))
      .to.emit(registry(), "ApprovalForAll")
      .withArgs(owner().address, operator().address, false);
    expect(await registry().isApprovedForAll(owner().address, operator().address)).to.equal(false);
    await refused(
      registry().connect(operator()).transferFrom(owner().address, buyer().address, token),
      "ERC721InsufficientApproval",
      operator().address,
      token,
    );
  });

  it("says which interfaces it has", async () => {
    const says = async (id: string) => registry().supportsInterface(id);
    // ERC-165, ERC-721, its metadata, ERC-4907.
    for (const id of ["0x01ffc9a7", "0x80ac58cd", "0x5b5e139f", "0xad092b5c"]) expect(await says(id)).to.equal(true);
    // Nothing, ERC-721's enumeration, ERC-1155.
    for (const id of ["0xffffffff", "0x00000000", "0x780e9d63", "0xd9b67a26"]) {
      expect(await says(id)).to.equal(false);
    }
  });
}
