import { expect } from "chai";
import type { createJWT } from "did-jwt";
import type { Resolver } from "did-resolver";
import { Wallet } from "ethers";
import {
  CredentialError,
  type CredentialTrust,
  checkCredential,
  type DidResolver,
  type Endorsement,
  issueCredential,
} from "../../toolkit/identity/credential.js";
import { type DidDocument, deviceDid, documentOf } from "../../toolkit/identity/did.js";
import type { CurveKey } from "../../toolkit/identity/keys.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { type Deployed, deployed } from "../support.js";
import { activationOf, type EnrolledLot, enrolLot, keyOf, makeIssuer, send } from "./fleet.js";
import { resolverOf } from "./resolver.js";

export const maker = keyOf("credential-maker");
export const rival = keyOf("credential-rival");
export const device = keyOf("credential-device", "p256");
export const unborn = keyOf("credential-unborn");
export const NOW = 1_800_000_000n;
export const [FROM, UNTIL] = [NOW - 100n, NOW + 100n] as const;

export const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
export const decode = (piece = ""): Record<string, unknown> => JSON.parse(Buffer.from(piece, "base64url").toString());

/** Headers for did-jwt, whose types know no other `typ` than JWT; its code does. */
export function headerOf(alg: string, kid: string): Parameters<typeof createJWT>[2] {
  return { typ: "vc+jwt", alg, kid } as unknown as Parameters<typeof createJWT>[2];
}

/** A resolver that has one answer. */
export function resolving(didDocument: unknown, didDocumentMetadata = {}): DidResolver {
  return { resolve: async () => ({ didDocument, didDocumentMetadata, didResolutionMetadata: {} }) };
}

/** Two makers, an active P-256 device of one, and that maker's credential for it. */
export class CredentialWorld {
  private constructor(
    readonly chain: Deployed,
    readonly lot: EnrolledLot,
    readonly resolver: Resolver,
    readonly endorsement: Endorsement,
    readonly jwt: string,
  ) {}

  static async create(): Promise<CredentialWorld> {
    const chain = await deployed();
    const wallets = ["credential-maker", "credential-rival"].map(
      (label) => new Wallet(secretOf(1, label), chain.ethers.provider),
    );
    for (const wallet of wallets) {
      await chain.operator.sendTransaction({ to: wallet, value: 10n ** 19n });
      await makeIssuer(chain, wallet);
    }
    const lot = await enrolLot(chain, wallets[0] ?? chain.operator, [device, unborn]);
    await send(chain, activationOf(chain, lot, device, chain.operator.address));
    const resolver = resolverOf(chain.ethers.provider, chain.chainId, chain.addresses.DeviceRegistry);
    const said = { lot: lot.id, keyKind: "p256", assurance: 2, validFrom: FROM, validUntil: UNTIL } as const;
    const endorsement = { chainId: chain.chainId, issuer: maker.id, device: device.id, ...said };
    return new CredentialWorld(chain, lot, resolver, endorsement, await issueCredential(endorsement, maker));
  }

  /** The maker's DID. */
  get did(): string {
    return deviceDid(this.chain.chainId, maker.id);
  }

  /** The maker's DID document. */
  get document(): DidDocument {
    return documentOf(this.did, [], NOW).didDocument;
  }

  /** The maker as a sender of transactions. */
  get wallet(): Wallet {
    return new Wallet(secretOf(1, "credential-maker"), this.chain.ethers.provider);
  }

  /** A credential that the device itself signs, with its P-256 key. */
  bySelf(): Promise<string> {
    return issueCredential({ ...this.endorsement, issuer: device.id }, device, "delegate-1");
  }

  /** Says of the maker's device what the maker says, but for some parts. */
  issued(changed: Partial<Endorsement>, key: CurveKey = maker): Promise<string> {
    return issueCredential({ ...this.endorsement, ...changed }, key);
  }

  trust(changed: Partial<CredentialTrust> = {}): CredentialTrust {
    return { resolver: this.resolver, now: NOW, ...changed };
  }

  /** What doesn't hold of a credential. */
  async failing(token: string, changed: Partial<CredentialTrust> = {}): Promise<string[]> {
    const { holds, findings } = await checkCredential(token, this.trust(changed));
    const failed = findings.filter((one) => !one.holds).map(({ what }) => what);
    expect(holds).to.equal(failed.length === 0);
    return failed;
  }

  /** The code with which a credential is refused. */
  async codeOf(token: string, changed: Partial<CredentialTrust> = {}): Promise<string> {
    const error: unknown = await checkCredential(token, this.trust(changed)).catch((cause: unknown) => cause);
    return error instanceof CredentialError ? error.code : `checked: ${String(error)}`;
  }

  /** The credential with other members in header and payload, signed anew. */
  async resigned(header: object, payload: object = {}, key: Pick<CurveKey, "sign"> = maker): Promise<string> {
    const [first, second] = this.jwt.split(".");
    const input = `${encode({ ...decode(first), ...header })}.${encode({ ...decode(second), ...payload })}`;
    const digest = await crypto.subtle.digest("SHA-256", Buffer.from(input));
    const signature = key.sign(new Uint8Array(digest)).subarray(0, 64);
    return `${input}.${Buffer.from(signature).toString("base64url")}`;
  }
}
