import { LotTree } from "../../toolkit/identity/lots.js";
import { fromHex } from "../../toolkit/internal/bytes.js";
import { type Action, Cast, type DrawnLot } from "./identity-cast.js";
import { NO_HASH, NOBODY, STATES } from "./identity-state.js";
import type { Activation } from "./lots-model.js";

const MOST_DEVICES = 48;

/** Draws what makers and their devices send, right or wrong: issuers, lots, activations. */
export class LotsActions extends Cast {
  protected administer(): Action {
    const { dice, model, parties } = this;
    const from = this.mostly(parties.operator);
    const issuer = dice.pick([...parties.issuers.map(({ id }) => id), parties.smith]);
    const to = dice.chance(10) ? NOBODY : dice.pick(parties.issuers).id;
    const amount = dice.pick([0n, model.world.pool, model.world.pool / 2n, model.world.pool + 1n]);
    const bond = dice.pick([0n, 1n, 10n ** 18n, 3n * 10n ** 18n]);
    const register = () => this.call("registerIssuer", [issuer, ""], from, (by) => model.registerIssuer(by, issuer));
    return dice.weighted<() => Action>([
      [4, register],
      [1, () => this.call("revokeIssuer", [issuer], from, (by) => model.revokeIssuer(by, issuer))],
      [4, () => this.call("spendPool", [to, amount], from, (by) => model.spendPool(by, to, amount))],
      [1, () => this.call("setMinimumBond", [bond], from, (by) => model.setMinimumBond(by, bond))],
    ])();
  }

  protected enrol(): Action {
    const { dice, model, parties } = this;
    const bySignature = dice.chance(50);
    const maker = dice.pick([...parties.issuers.map(({ id }) => id), parties.smith]);
    const from = bySignature ? maker : this.mostly(maker);
    const known = this.devices.length < MOST_DEVICES && !dice.chance(20) ? 0 : Math.min(3, this.devices.length);
    const old = this.devices.slice(dice.below(this.devices.length - known + 1)).slice(0, known);
    const fresh = this.devices.length < MOST_DEVICES ? 1 + dice.below(5) : 0;
    const keys = [...old, ...Array.from({ length: fresh }, () => this.freshKey())];
    const twin = this.lots.length > 0 && dice.chance(15) ? dice.pick(this.lots) : undefined;
    const lot = this.lotOf(from, twin?.keys ?? keys);
    const count = BigInt(lot.keys.length);
    const size = dice.pick([count, count, count, count, count - 1n, count + 3n, 2n ** 40n - 1n, 2n ** 40n]);
    const least = model.world.minimumBond;
    const bond = dice.chance(88) ? least + BigInt(dice.below(6)) : dice.pick([least - 1n, least / 2n, 2n ** 88n]);
    const said = { issuer: from, root: lot.tree.root, size, assurance: dice.below(4), bond: bond < 0n ? 0n : bond };
    const { root, assurance } = said;
    if (!bySignature) {
      const rule = (by: string) => model.enrolLot(by, root, size, assurance, said.bond);
      return this.call("enrolLot", [root, size, assurance, said.bond], from, rule);
    }
    const words = { ...said, deadline: this.deadline() };
    const digest = this.world.digests.lot({ ...words, root: fromHex(root) });
    const issuer = parties.issuers.find(({ id }) => id === from) ?? dice.pick(parties.people);
    const signed = this.sign(issuer.id, this.signerOf(issuer), digest);
    const args = [from, root, size, assurance, said.bond, words.deadline, signed.bytes];
    return this.call("enrolLotFor", args, dice.pick(this.everyone), () => model.enrolLotFor(words, signed));
  }

  private lotOf(issuer: string, keys: DrawnLot["keys"]): DrawnLot {
    const tree = new LotTree(keys);
    const lot = { id: tree.idFor(issuer), issuer, tree, keys };
    this.lots.push(lot);
    this.devices.push(...keys.filter((key) => !this.devices.includes(key)));
    return lot;
  }

  protected endLot(): Action {
    const { dice, model } = this;
    const { id, issuer } = this.openLot();
    const assurance = dice.below(4);
    if (dice.chance(40)) return this.call("revokeLot", [id], this.mostly(issuer), (by) => model.revokeLot(by, id));
    const rule = (by: string) => model.lowerAssurance(by, id, assurance);
    return this.call("lowerAssurance", [id, assurance], this.mostly(issuer), rule);
  }

  protected activate(): Action {
    const { dice, model } = this;
    const lot = this.openLot();
    const unborn = lot.keys.filter(({ id }) => model.device(id).state === STATES.none);
    const key = dice.pick(unborn.length > 0 && dice.chance(85) ? unborn : lot.keys);
    const said = this.activationOf(lot, key, this.deadline());
    const proof = lot.tree.prove(dice.chance(92) ? key.id : dice.pick(lot.keys).id);
    const path = dice.chance(96) ? proof.path : proof.path + 2n ** BigInt(proof.siblings.length);
    const siblings = dice.chance(96) ? proof.siblings : [...proof.siblings, dice.bytes()];
    const { lot: id, signer, owner, deadline, signed } = said;
    const args = [id, signer, owner, signed.bytes, deadline, path, siblings];
    const rule = () => model.activate(said, path, siblings);
    return this.call("activate", args, dice.pick(this.everyone), rule, [{ device: key.id, signer }]);
  }

  /** A lot that the registry knows, most of the time. */
  private openLot(): DrawnLot {
    const open = this.lots.filter(({ id }) => this.model.world.lots.get(id)?.revoked === false);
    return this.dice.pick(open.length > 0 && this.dice.chance(92) ? open : this.lots);
  }

  private activationOf(lot: DrawnLot, key: DrawnLot["keys"][number], deadline: bigint): Activation {
    const { dice, model } = this;
    const owner = this.someOwner();
    const meant = dice.chance(96) ? owner : this.someOwner();
    const digest = model.place.digests.activation({ device: key.id, lot: lot.id, owner: meant, deadline });
    const signed = this.sign(key.id, this.signerOf(key), digest);
    const signer = dice.chance(97) ? this.signerOf(key) : `${model.place.p256Verifier}00`;
    return { device: key.id, lot: dice.chance(97) ? lot.id : dice.pick(this.lots).id, signer, owner, deadline, signed };
  }

  protected activateBatch(): Action {
    const { dice, model } = this;
    const lot = this.openLot();
    const some = lot.keys.filter(() => dice.chance(60));
    const { devices, places, leaves, siblings } = lot.tree.proveMany(
      (some.length ? some : lot.keys).map(({ id }) => id),
    );
    const deadline = this.deadline();
    const { id } = dice.chance(97) ? lot : dice.pick(this.lots);
    const batch = devices.flatMap((device) => {
      const key = lot.keys.find((one) => one.id === device);
      return key ? [{ ...this.activationOf(lot, key, deadline), lot: id }] : [];
    });
    const spoilt = this.spoil(siblings, lot.tree.root);
    const owners = batch.map(({ owner }) => owner).slice(dice.chance(97) ? 0 : 1);
    const signers = batch.map(({ signer }) => signer);
    const signatures = batch.map(({ signed }) => signed.bytes);
    const args = [id, deadline, signers, owners, signatures, places, leaves, spoilt.siblings];
    const equal = owners.length === batch.length;
    const rule = () => model.activateBatch(deadline, batch, equal, spoilt.root);
    const spoken = batch.map(({ device, signer }) => ({ device, signer }));
    return this.call("activateBatch", args, dice.pick(this.everyone), rule, spoken);
  }

  /** A multiproof, or one that doesn't hold, and what it leads to. */
  private spoil(siblings: readonly Uint8Array[], root: string): { siblings: Uint8Array[]; root: string | undefined } {
    const { dice } = this;
    const [, ...rest] = siblings;
    return dice.weighted<{ siblings: Uint8Array[]; root: string | undefined }>([
      [92, { siblings: [...siblings], root }],
      [2, { siblings: [...siblings, dice.bytes()], root: undefined }],
      [3, siblings.length > 0 ? { siblings: rest, root: undefined } : { siblings: [], root }],
      [3, siblings.length > 0 ? { siblings: [dice.bytes(), ...rest], root: NO_HASH } : { siblings: [], root }],
    ]);
  }
}
