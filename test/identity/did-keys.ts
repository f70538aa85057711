import { createSign, generateKeyPairSync } from "node:crypto";
import { AbiCoder, type Contract } from "ethers";
import { type DidChange, p256Multikey } from "../../toolkit/identity/did.js";
import { type DeviceKey, signerOf } from "../../toolkit/identity/keys.js";
import { concat, fromHex } from "../../toolkit/internal/bytes.js";
import type { Deployed } from "../support.js";
import { nameOf } from "./did-histories.js";
import { keyOf } from "./fleet.js";

/** The attribute under which a device's own key stands in its history. */
export const KEY_ATTRIBUTE = nameOf("did/pub/Multikey/sigAuth");

/** A key of any kind, as the registry and a document have it. */
export interface AnyKey {
  readonly signer: Uint8Array;
  /** The event that shows it. */
  event(validTo: bigint): DidChange;
  sign(digest: Uint8Array): Uint8Array;
}

/** Keys of every kind that devices may be given. */
export async function keysOf(world: Deployed, contract: Contract): Promise<readonly AnyKey[]> {
  const verifierOf = async (kind: number): Promise<Uint8Array> => {
    const [verifier] = await contract.getFunction("keyKindOf")(kind);
    return fromHex(String(verifier));
  };
  const plain = [0, 1, 2].map((k) => ownKey(world, keyOf(`did-later-${k}`)));
  const secure = [0, 1, 2].map((k) => ownKey(world, keyOf(`did-later-${k}`, "p256")));
  const [rsaVerifier, accountVerifier] = [await verifierOf(2), await verifierOf(3)];
  return [...plain, ...secure, rsaKey(rsaVerifier), rsaKey(rsaVerifier), await contractKey(world, accountVerifier)];
}

export function ownKey({ addresses }: Deployed, key: DeviceKey): AnyKey {
  const event = (validTo: bigint): DidChange =>
    key.kind === "secp256k1"
      ? delegateEvent("sigAuth", key.id, validTo)
      : { kind: "attribute", name: KEY_ATTRIBUTE, value: p256Multikey(key.material), validTo };
  return { signer: signerOf(key, addresses), event, sign: (digest) => key.sign(digest) };
}

export function delegateEvent(type: string, delegate: string, validTo: bigint): DidChange {
  return { kind: "delegate", type: nameOf(type), delegate, validTo };
}

function rsaKey(verifier: Uint8Array): AnyKey {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const modulus = Buffer.from(publicKey.export({ format: "jwk" }).n ?? "", "base64url");
  const key = AbiCoder.defaultAbiCoder().encode(["bytes", "bytes"], ["0x010001", modulus]);
  const value = concat(Uint8Array.of(0x85, 0x24), publicKey.export({ type: "pkcs1", format: "der" }));
  return {
    signer: concat(verifier, fromHex(key)),
    event: (validTo) => ({ kind: "attribute", name: KEY_ATTRIBUTE, value, validTo }),
    sign: (digest) => new Uint8Array(createSign("sha256").update(digest).sign(privateKey)),
  };
}

/** A contract that takes any signature for its own (ERC-1271). */
async function contractKey({ provider }: Deployed, verifier: Uint8Array): Promise<AnyKey> {
  const account = keyOf("did-contract").id;
  const code = "0x631626ba7e60e01b60005260206000f3";
  await provider.request({ method: "hardhat_setCode", params: [account, code] });
  return {
    signer: concat(verifier, fromHex(account)),
    event: (validTo) => delegateEvent("sigAuth", account, validTo),
    sign: () => Uint8Array.of(1),
  };
}
