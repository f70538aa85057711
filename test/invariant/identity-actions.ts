import { encodeBytes32String, hexlify, toUtf8Bytes } from "ethers";
import type { DeviceId } from "../../toolkit/identity/keys.js";
import type { Action, Spoken } from "./identity-cast.js";
import { SIG_AUTH, type SignedReading } from "./identity-model.js";
import { type Device, isAlive, NOBODY, STATES } from "./identity-state.js";
import { LotsActions } from "./lots-actions.js";

const SOON = 9000;
const VERI_KEY = encodeBytes32String("veriKey");
const DELEGATE_KINDS = [VERI_KEY, VERI_KEY, encodeBytes32String("billing"), SIG_AUTH, `0xff${"00".repeat(31)}`];
const ATTRIBUTES = ["did/svc/Hub", "did/svc/Api", "did/svc/Api", "note", "did/pub/Secp256k1/veriKey/hex"];

/** Draws the transactions of the walk: what anybody might send, right or wrong. */
export class Actions extends LotsActions {
  next(): Action {
    const action = this.draw();
    if (action.spoken.length > 0 || action.what === "enrolLotFor") this.said.push(action);
    return action;
  }

  /** A call that was sent before, carried anew by anybody; of keys that hold no longer if there is one. */
  resend(): Action {
    const gone = this.said.filter((one) => one.spoken.some((spoken) => this.isGone(spoken, one)));
    const list = gone.length > 0 && this.dice.chance(60) ? gone : this.said;
    if (list.length === 0) return this.draw();
    const again = this.dice.pick(list);
    const what = again.what.endsWith(" again") ? again.what : `${again.what} again`;
    return { ...again, what, from: this.dice.pick([again.from, ...this.everyone]) };
  }

  /** Whether a call rests on a key that was the device's and isn't any more. Who owns or made the device needs none to call a recovery off. */
  isGone({ device: id, signer }: Spoken, { what, from }: Action): boolean {
    const device = this.model.device(id);
    if (what.startsWith("cancelRecovery") && [device.owner, this.model.issuerOf(device)].includes(from)) return false;
    return device.keys.has(signer) && !this.model.holdsKey(device, signer);
  }

  private draw(): Action {
    if (this.lots.length === 0) return this.enrol();
    return this.dice.weighted<() => Action>([
      [3, () => this.administer()],
      [6, () => this.enrol()],
      [3, () => this.endLot()],
      [12, () => this.activate()],
      [6, () => this.activateBatch()],
      [13, () => this.suspendOrResume()],
      [2, () => this.end()],
      [5, () => this.moveBond()],
      [2, () => this.stateAssurance()],
      [8, () => this.rotateKey()],
      [3, () => this.revokeKey()],
      [8, () => this.requestRecovery()],
      [4, () => this.cancelRecovery()],
      [9, () => this.completeRecovery()],
      [7, () => this.proveEquivocation()],
      [8, () => this.transfer()],
      [9, () => this.delegate()],
      [6, () => this.attribute()],
      [4, () => this.lend()],
      [3, () => this.arm()],
      [12, () => this.resend()],
    ])();
  }

  private suspendOrResume(): Action {
    const { dice, model } = this;
    const device = this.someDevice();
    const from = this.mostly(dice.pick([device.owner, model.issuerOf(device)]));
    const { id } = device;
    // Rarely the wrong one of the two: nothing happens to a device that is held for most of its life.
    if (dice.chance(device.holds === 0 ? 45 : 15)) {
      return this.call("suspend", [id], from, (by) => model.suspend(by, id));
    }
    return this.call("resume", [id], from, (by) => model.resume(by, id));
  }

  private end(): Action {
    const { dice, model } = this;
    const device = this.someDevice();
    const { id } = device;
    if (dice.chance(40)) return this.call("retire", [id], this.mostly(device.owner), (by) => model.retire(by, id));
    const listing = this.lots.filter(({ keys }) => keys.some((key) => key.id === id));
    const lot = dice.chance(80) && device.lot ? device.lot : dice.pick(listing.length > 0 ? listing : this.lots).id;
    const issuer = model.world.lots.get(lot)?.issuer ?? NOBODY;
    return this.call("revokeDevice", [lot, id], this.mostly(issuer), (by) => model.revokeDevice(by, lot, id));
  }

  private moveBond(): Action {
    const { dice, model } = this;
    const all = [...model.world.devices.values()];
    const fit = all.filter((one) => (isAlive(one) ? one.bondGone : one.state !== STATES.none));
    const device = fit.length > 0 && dice.chance(85) ? dice.pick(fit) : this.someDevice();
    const { id } = device;
    if (isAlive(device) && dice.chance(85)) {
      const from = this.mostly(model.issuerOf(device));
      return this.call("restoreBond", [id], from, (by) => model.restoreBond(by, id));
    }
    return this.call("releaseBond", [id], dice.pick(this.everyone), () => model.releaseBond(id));
  }

  private stateAssurance(): Action {
    const device = this.someDevice();
    const assurance = this.dice.below(4);
    const rule = (by: string) => this.model.stateAssurance(by, device.id, assurance);
    return this.call("stateAssurance", [device.id, assurance], this.mostly(this.model.issuerOf(device)), rule);
  }

  private rotateKey(): Action {
    const { dice, model } = this;
    const device = this.someDevice();
    const { id } = device;
    const signer = this.signerFor(device);
    const next = this.nextKeyFor(device);
    const signed = this.sign(id, signer, model.keyChange(id, next.signer, next.deadline));
    const args = [id, signer, next.signer, next.deadline, signed.bytes, next.signed.bytes];
    const rule = () => model.rotateKey(id, signer, next, signed);
    return this.call("rotateKey", args, dice.pick(this.everyone), rule, [{ device: id, signer }]);
  }

  private revokeKey(): Action {
    const device = this.someDevice();
    const signer = this.signerFor(device);
    const from = this.mostly(this.dice.pick([device.owner, this.model.issuerOf(device)]));
    const rule = (by: string) => this.model.revokeKey(by, device.id, signer);
    return this.call("revokeKey", [device.id, signer], from, rule);
  }

  private requestRecovery(): Action {
    const device = this.someDevice();
    const { id } = device;
    const next = this.nextKeyFor(device);
    const readyAt = this.time + this.model.place.recoveryDelay;
    this.wishes.set(id, [...(this.wishes.get(id) ?? []), { signer: next.signer, readyAt }]);
    const rule = (by: string) => this.model.requestRecovery(by, id, next);
    return this.call(
      "requestRecovery",
      [id, next.signer, next.deadline, next.signed.bytes],
      this.mostly(device.owner),
      rule,
    );
  }

  /** A device that somebody wants to recover, if there is one. */
  private wishful(): Device {
    const wishful = [...this.wishes.keys()].map((id) => this.model.device(id)).filter(isAlive);
    const pending = wishful.filter(({ recovery }) => BigInt(recovery) !== 0n);
    const list = pending.length > 0 ? pending : wishful;
    return list.length > 0 && this.dice.chance(90) ? this.dice.pick(list) : this.someDevice();
  }

  private cancelRecovery(): Action {
    const { dice, model } = this;
    const device = this.wishful();
    const { id } = device;
    const signer = this.signerFor(device);
    const signed = this.sign(id, signer, model.veto(id));
    const from = dice.pick([device.owner, model.issuerOf(device), ...this.everyone]);
    const rule = (by: string) => model.cancelRecovery(by, id, signer, signed);
    const by = this.everyone.includes(from) ? from : dice.pick(this.everyone);
    return this.call("cancelRecovery", [id, signer, signed.bytes], by, rule, [{ device: id, signer }]);
  }

  private completeRecovery(): Action {
    const { dice, model } = this;
    const device = this.wishful();
    const { id } = device;
    const wishes = this.wishes.get(id) ?? [];
    const last = wishes.at(-1) ?? { signer: this.signerOf(this.freshKey()), readyAt: this.time };
    const wish = wishes.length > 1 && dice.chance(15) ? dice.pick(wishes) : last;
    const readyAt = dice.chance(94) ? wish.readyAt : wish.readyAt - 1n;
    const signer = this.signerFor(device);
    const rule = () => model.completeRecovery(id, signer, wish.signer, readyAt);
    return this.call("completeRecovery", [id, signer, wish.signer, readyAt], dice.pick(this.everyone), rule);
  }

  private proveEquivocation(): Action {
    const { dice, model } = this;
    const device = this.someDevice();
    const { id } = device;
    const signer = this.signerFor(device);
    const sequence = BigInt(dice.below(3));
    const first = this.readingOf(id, signer, sequence, {});
    const { schema, content } = first;
    // A resend differs in nothing but its time; a contradiction in its schema or its content.
    const again = dice.pick([{ schema, content }, { schema }, { content }]);
    const second = this.readingOf(id, signer, dice.chance(94) ? sequence : sequence + 1n, again);
    const readings = [first, second] as const;
    const args = [
      id,
      signer,
      sequence,
      readings.map(({ time }) => time),
      readings.map((one) => one.schema),
      readings.map((one) => one.content),
      readings.map(({ signed }) => signed.bytes),
    ];
    const rule = (by: string) => model.proveEquivocation(by, id, signer, sequence, readings);
    return this.call("proveEquivocation", args, dice.pick(this.everyone), rule, [{ device: id, signer }]);
  }

  private readingOf(
    device: DeviceId,
    signer: string,
    sequence: bigint,
    said: { schema?: Uint8Array; content?: Uint8Array },
  ): SignedReading {
    const reading = { time: this.time - BigInt(this.dice.below(99)), schema: this.dice.bytes(), ...said };
    const whole = { content: this.dice.bytes(), ...reading };
    const digest = this.model.place.digests.reading({ device, sequence, ...whole });
    return { ...whole, signed: this.sign(device, signer, digest) };
  }

  private transfer(): Action {
    const { dice, model } = this;
    const device = this.someDevice();
    const { id, owner } = device;
    const to = this.someOwner();
    const from = dice.chance(94) ? owner : dice.pick(this.everyone);
    const by = this.mostly(dice.chance(70) ? owner : device.approved);
    const plain = (what: string, safe: boolean) => () =>
      this.call(what, [from, to, id], by, (sender) => model.transfer(sender, id, from, to, safe));
    // Nobody speaks for a contract that was pushed a device, so that seldom happens.
    const stuck = model.place.refusing.includes(to) && !dice.chance(10);
    return dice.weighted<() => Action>([
      [stuck ? 0 : 3, plain("transferFrom", false)],
      [3, plain("safeTransferFrom(address,address,uint256)", true)],
      [3, () => this.call("changeOwner", [id, to], by, (sender) => model.changeOwner(sender, id, to))],
      [2, () => this.call("approve", [to, id], by, (sender) => model.approve(sender, id, to))],
    ])();
  }

  /** Seconds that something is to last: seldom more than can be. */
  private validity(): bigint {
    return this.dice.chance(95) ? BigInt(this.dice.below(SOON)) : this.dice.pick([0n, 2n ** 40n - 1n, 2n ** 40n]);
  }

  private delegate(): Action {
    const { dice, model } = this;
    const device = this.someDevice();
    const { id, delegates } = device;
    const by = this.mostly(device.owner);
    if (dice.chance(25)) {
      const { kind, account } =
        delegates.length > 0 && dice.chance(85)
          ? dice.pick(delegates)
          : { kind: VERI_KEY, account: dice.pick(this.everyone) };
      const rule = (sender: string) => model.revokeDelegate(sender, id, kind, account);
      return this.call("revokeDelegate", [id, kind, account], by, rule);
    }
    const kind = dice.pick(DELEGATE_KINDS);
    const account = dice.pick([...this.everyone, id]);
    const validity = this.validity();
    const rule = (sender: string) => model.addDelegate(sender, id, kind, account, validity);
    return this.call("addDelegate", [id, kind, account, validity], by, rule);
  }

  private attribute(): Action {
    const { dice, model } = this;
    const device = this.someDevice();
    const { id } = device;
    const by = this.mostly(device.owner);
    const name = dice.chance(95) ? encodeBytes32String(dice.pick(ATTRIBUTES)) : `0xc3${"a9".repeat(31)}`;
    const value = hexlify(toUtf8Bytes(`https://${dice.pick(["a", "b", "c"])}.example`));
    if (dice.chance(30)) {
      const rule = (sender: string) => model.revokeAttribute(sender, id, name, value);
      return this.call("revokeAttribute", [id, name, value], by, rule);
    }
    const validity = this.validity();
    const rule = (sender: string) => model.setAttribute(sender, id, name, value, validity);
    return this.call("setAttribute", [id, name, value, validity], by, rule);
  }

  private lend(): Action {
    const { dice, model } = this;
    const device = this.someDevice();
    const { id } = device;
    const user = dice.pick([NOBODY, ...this.everyone]);
    const expires = this.time + BigInt(dice.below(SOON));
    const by = this.mostly(dice.chance(80) ? device.owner : device.approved);
    return this.call("setUser", [id, user, expires], by, (sender) => model.setUser(sender, id, user, expires));
  }

  /** Tells the contract what to do while it receives its next devices; nothing of it may call for itself without an end. */
  private arm(): Action {
    const { dice, model, parties } = this;
    const { smith } = parties;
    const own = this.lots.filter(({ issuer }) => issuer === smith);
    const device = this.someDevice().id;
    const to = dice.pick(parties.people).id;
    const inner = dice.weighted<() => Action>([
      [2, () => this.activate()],
      [2, () => this.call("suspend", [device], smith, (by) => model.suspend(by, device))],
      [2, () => this.call("retire", [device], smith, (by) => model.retire(by, device))],
      [
        2,
        () =>
          this.call("transferFrom", [smith, to, device], smith, (by) => model.transfer(by, device, smith, to, false)),
      ],
      [
        own.length > 0 ? 4 : 0,
        () => {
          const { id } = dice.pick(own);
          return this.call("revokeLot", [id], smith, (by) => model.revokeLot(by, id));
        },
      ],
    ])();
    const data = parties.smithInterface.encodeFunctionData("setCall", [inner.data]);
    const rule = () => void (model.armed = { account: smith, rule: () => inner.rule(smith) });
    return { what: "arm", from: to, to: smith, data, rule, spoken: [] };
  }
}
