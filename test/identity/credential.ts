import { expect } from "chai";
import { createJWT, ES256KSigner, ES256Signer, verifyJWS, verifyJWT } from "did-jwt";
import type { Resolver } from "did-resolver";
import { Wallet } from "ethers";
import { DeviceRegistry__factory } from "../../toolkit/contracts.js";
import {
  CredentialError,
  type CredentialTrust,
  checkCredential,
  type DidResolver,
  type Endorsement,
  issueCredential,
  MAX_CREDENTIAL_LENGTH,
} from "../../toolkit/identity/credential.js";
import { type DidDocument, deviceDid, documentOf, p256Multikey } from "../../toolkit/identity/did.js";
import type { DeviceKey } from "../../toolkit/identity/keys.js";
import { fromHex, toHex } from "../../toolkit/internal/bytes.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { type Deployed, deployed } from "../support.js";
import { activationOf, type EnrolledLot, enrolLot, highS, keyOf, makeIssuer, send } from "./fleet.js";
import { resolverOf } from "./resolver.js";

const maker = keyOf("credential-maker");
const rival = keyOf("credential-rival");
const device = keyOf("credential-device", "p256");
const unborn = keyOf("credential-unborn");
const NOW = 1_800_000_000n;
const [FROM, UNTIL] = [NOW - 100n, NOW + 100n];

// The types of did-jwt know no other `typ` than JWT; its code does.
const headerOf = (alg: string, kid: string) =>
  ({ typ: "vc+jwt", alg, kid }) as unknown as Parameters<typeof createJWT>[2];

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
const decode = (piece = ""): Record<string, unknown> => JSON.parse(Buffer.from(piece, "base64url").toString());

describe("A device's endorsement as a verifiable credential", () => {
  let world: Deployed;
  let lot: EnrolledLot;
  let resolver: DidResolver;
  let networks: Resolver;
  let endorsement: Endorsement;
  let jwt: string;
  let restore: () => Promise<void>;
  const did = () => deviceDid(world.chainId, maker.id);
  const makerWallet = (key: DeviceKey, label: string) => {
    const wallet = new Wallet(secretOf(1, label), world.ethers.provider);
    expect(wallet.address).to.equal(key.id);
    return wallet;
  };

  const trust = (changed: Partial<CredentialTrust> = {}): CredentialTrust => ({ resolver, now: NOW, ...changed });
  const failing = async (token: string, changed: Partial<CredentialTrust> = {}) => {
    const { holds, findings } = await checkCredential(token, trust(changed));
    const failed = findings.filter((one) => !one.holds).map(({ what }) => what);
    expect(holds).to.equal(failed.length === 0);
    return failed;
  };
  const codeOf = async (token: string): Promise<string> => {
    const error: unknown = await checkCredential(token, trust()).catch((cause: unknown) => cause);
    return error instanceof CredentialError ? error.code : `checked: ${String(error)}`;
  };
  /** The credential with other members in header and payload, signed anew. */
  const resigned = async (header: object, payload: object = {}, key: Pick<DeviceKey, "sign"> = maker) => {
    const [first, second] = jwt.split(".");
    const input = `${encode({ ...decode(first), ...header })}.${encode({ ...decode(second), ...payload })}`;
    const digest = await crypto.subtle.digest("SHA-256", Buffer.from(input));
    const signature = key.sign(new Uint8Array(digest)).subarray(0, 64);
    return `${input}.${Buffer.from(signature).toString("base64url")}`;
  };
  const resolving = (didDocument: unknown, didDocumentMetadata = {}): DidResolver => ({
    resolve: async () => ({ didDocument, didDocumentMetadata, didResolutionMetadata: {} }),
  });
  const document = (): DidDocument => documentOf(did(), [], NOW).didDocument;

  before(async () => {
    world = await deployed();
    for (const [key, label] of [
      [maker, "credential-maker"],
      [rival, "credential-rival"],
    ] as const) {
      await world.operator.sendTransaction({ to: key.id, value: 10n ** 19n });
      await makeIssuer(world, makerWallet(key, label));
    }
    lot = await enrolLot(world, makerWallet(maker, "credential-maker"), [device, unborn]);
    await send(world, activationOf(world, lot, device, world.operator.address));
    resolver = networks = resolverOf(world.ethers.provider, world.chainId, world.addresses.DeviceRegistry);
    endorsement = {
      chainId: world.chainId,
      issuer: maker.id,
      device: device.id,
      lot: lot.id,
      keyKind: "p256",
      assurance: 2,
      validFrom: FROM,
      validUntil: UNTIL,
    };
    jwt = await issueCredential(endorsement, maker);
  });

  beforeEach(async () => {
    const snapshot = await world.networkHelpers.takeSnapshot();
    restore = () => snapshot.restore();
  });

  afterEach(() => restore());

  describe("a maker's credential", () => {
    it("holds against the maker's DID document and the registry", async () => {
      const { holds, findings, credential } = await checkCredential(jwt, trust({ registry: world.registry }));
      expect(findings.filter((one) => !one.holds)).to.deep.equal([]);
      expect(findings.map(({ what }) => what)).to.deep.equal([
        "issuer",
        "key",
        "signature",
        "dates",
        "chain",
        "device",
        "lot",
        "registered",
        "assurance",
      ]);
      expect(holds).to.equal(true);
      const subject = deviceDid(world.chainId, device.id);
      expect(credential).to.deep.equal({
        issuer: did(),
        subject,
        device: device.id,
        validFrom: FROM,
        validUntil: UNTIL,
        claims: { id: subject, lot: lot.id, keyKind: "p256", assurance: 2 },
      });
    });

    it("holds for a P-256 key that the document shows as a Multikey", async () => {
      const own = await issueCredential({ ...endorsement, issuer: device.id }, device, "delegate-1");
      expect(await failing(own)).to.deep.equal([]);
      expect(decode(own.split(".")[0]).alg).to.equal("ES256");
    });

    it("is what did-jwt accepts", async () => {
      const verified = await verifyJWT(jwt, { resolver: networks, proofPurpose: "assertionMethod" });
      expect([verified.verified, verified.signer.id]).to.deep.equal([true, `${did()}#controller`]);
      const own = await issueCredential({ ...endorsement, issuer: device.id }, device, "delegate-1");
      // did-jwt reads Multikeys in multibase alone, so it is given the point as a JWK.
      const [x, y] = [device.point.subarray(0, 32), device.point.subarray(32)].map((half) =>
        Buffer.from(half).toString("base64url"),
      );
      const jwk = { kty: "EC", crv: "P-256", x: x ?? "", y: y ?? "" };
      const method = { id: "#key", type: "JsonWebKey2020", controller: "", publicKeyJwk: jwk };
      expect(verifyJWS(own, [method])).to.equal(method);
    });

    it("may be did-jwt's, by ES256K and ES256, in either half of s", async () => {
      const payload = decode(jwt.split(".")[1]);
      const options = { issuer: did(), signer: ES256KSigner(fromHex(secretOf(1, "credential-maker"))) };
      const theirs = await createJWT(payload, { ...options, alg: "ES256K" }, headerOf("ES256K", `${did()}#controller`));
      expect(await failing(theirs, { registry: world.registry })).to.deep.equal([]);
      const [header = "", body = "", signature] = theirs.split(".");
      const high = highS(toHex(Buffer.from(signature ?? "", "base64url")), "secp256k1");
      const other = `${header}.${body}.${Buffer.from(fromHex(high)).toString("base64url")}`;
      expect(other).not.to.equal(theirs);
      expect(await failing(other)).to.deep.equal([]);

      const issuer = deviceDid(world.chainId, device.id);
      const signer = ES256Signer(fromHex(secretOf(1, "credential-device")));
      for (let k = 0; k < 8; k++) {
        const claims = { ...payload, issuer, nonce: k };
        const header = headerOf("ES256", `${issuer}#delegate-1`);
        expect(await failing(await createJWT(claims, { issuer, signer, alg: "ES256" }, header))).to.deep.equal([]);
      }
    });

    it("says what the maker claims, and no claim changes who it is about", async () => {
      const claims = { model: "WS-7", serial: 12, assurance: 3, id: "did:ethr:0x1:0x0", nested: { a: [1] } };
      const { holds, credential } = await checkCredential(
        await issueCredential({ ...endorsement, claims }, maker),
        trust({ registry: world.registry }),
      );
      expect(holds).to.equal(true);
      const subject = { id: deviceDid(world.chainId, device.id), lot: lot.id, keyKind: "p256", assurance: 2 };
      expect(credential.claims).to.deep.equal({ ...claims, ...subject });
    });

    it("isn't issued to end before it begins", async () => {
      for (const validUntil of [FROM, FROM - 1n]) {
        const error: unknown = await issueCredential({ ...endorsement, validUntil }, maker).catch((e: unknown) => e);
        expect(error).to.be.instanceOf(CredentialError).with.property("code", "ITC_CREDENTIAL_DATES");
      }
    });
  });

  describe("a changed credential", () => {
    it("fails or is refused for every change of a character, and never throws anything else", async () => {
      const own = await issueCredential({ ...endorsement, issuer: device.id }, device, "delegate-1");
      const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
      const passed: string[] = [];
      for (const [token, issuer] of [
        [jwt, document()],
        [own, (await networks.resolve(deviceDid(world.chainId, device.id))).didDocument],
      ] as const) {
        const fixed = trust({ resolver: resolving(issuer) });
        expect((await checkCredential(token, fixed)).holds).to.equal(true);
        for (let k = 0; k < token.length; k++) {
          const next = alphabet[(alphabet.indexOf(token[k] ?? "") + 1) % 64] ?? "";
          const bit = alphabet[alphabet.indexOf(token[k] ?? "") ^ 1] ?? "A";
          for (const other of [next, bit, ".", ""]) {
            if (other === token[k]) continue;
            const changed = token.slice(0, k) + other + token.slice(k + 1);
            try {
              if ((await checkCredential(changed, fixed)).holds) passed.push(`${k}: ${other}`);
            } catch (error) {
              expect(error, `${k}: ${other}`).to.be.instanceOf(CredentialError);
            }
          }
        }
        expect(passed).to.deep.equal([]);
      }
    });
  });

  describe("what is no credential", () => {
    it("is refused when too large, in other pieces, not canonical, or no JSON", async () => {
      expect(await codeOf("x".repeat(MAX_CREDENTIAL_LENGTH + 1))).to.equal("ITC_CREDENTIAL_TOO_LARGE");
      const [header = "", payload = "", signature = ""] = jwt.split(".");
      const latin = Buffer.from([0x22, 0xff, 0x22]).toString("base64url");
      for (const token of [
        "",
        "..",
        ".".repeat(9000),
        `${header}.${payload}`,
        `${header}.${payload}.`,
        `${jwt}.${signature}`,
        `.${jwt}`,
        `${header}.${payload}.${signature}A`,
        `${header}.${payload}.${signature.slice(4)}`,
        `${header}=.${payload}.${signature}`,
        `${header}.${payload}.${signature} `,
        `${header}.${payload}.${signature}\n`,
        `${header}.${payload.replace(/./, "$& ")}.${signature}`,
        `${encode("text")}.${payload}.${signature}`,
        `${encode(null)}.${payload}.${signature}`,
        `${encode([])}.${payload}.${signature}`,
        `${header}.${encode(null)}.${signature}`,
        `${header}.${latin}.${signature}`,
        `${header}.${Buffer.from("[".repeat(5000)).toString("base64url")}.${signature}`,
        `${header}.${Buffer.from("[".repeat(5000) + "]".repeat(5000)).toString("base64url")}.${signature}`.slice(
          0,
          16_000,
        ),
        `${header}.${Buffer.from('{"a":1}}').toString("base64url")}.${signature}`,
      ]) {
        expect(await codeOf(token), token.slice(0, 60)).to.equal("ITC_CREDENTIAL_MALFORMED");
      }
    });

    it("is refused for any other algorithm or type", async () => {
      for (const alg of ["none", "None", "HS256", "ES256K-R", "ES384", "EdDSA", "es256k", "", 1, null, ["ES256K"]]) {
        expect(await codeOf(await resigned({ alg })), String(alg)).to.equal("ITC_CREDENTIAL_MALFORMED");
      }
      const [header, payload = ""] = jwt.split(".");
      const none = encode({ ...decode(header), alg: "none" });
      expect(await codeOf(`${none}.${payload}.`)).to.equal("ITC_CREDENTIAL_MALFORMED");
      for (const typ of ["JWT", "vc+ld+jwt", "vp+jwt", "", undefined]) {
        expect(await codeOf(await resigned({ typ })), String(typ)).to.equal("ITC_CREDENTIAL_MALFORMED");
      }
      const secret = fromHex(secretOf(1, "credential-maker"));
      const recoverable = { issuer: did(), signer: ES256KSigner(secret, true), alg: "ES256K-R" };
      const theirs = await createJWT(decode(payload), recoverable, headerOf("ES256K-R", `${did()}#controller`));
      expect(await codeOf(theirs)).to.equal("ITC_CREDENTIAL_MALFORMED");
    });

    it("is refused for headers that would steer the verifier", async () => {
      for (const header of [
        { crit: ["b64"], b64: false },
        { b64: false },
        { b64: true },
        { crit: [] },
        { jwk: { kty: "EC" } },
        { jku: "https://example.com" },
        { x5u: "https://example.com" },
        { x5c: [] },
        { zip: "DEF" },
        { cty: "JWT" },
        { kid: undefined },
        { kid: 1 },
        { kid: `${did()}#${"x".repeat(300)}` },
      ]) {
        expect(await codeOf(await resigned(header)), JSON.stringify(header)).to.equal("ITC_CREDENTIAL_MALFORMED");
      }
      expect(await failing(await resigned({ cty: "vc" }))).to.deep.equal([]);
    });

    it("is refused when a part is missing, contradicts or of another type", async () => {
      const payload = decode(jwt.split(".")[1]);
      const subject = payload.credentialSubject as object;
      const mayBeMissing = new Set(["iss", "validUntil"]);
      for (const name of Object.keys(payload)) {
        const code = await codeOf(await resigned({}, { [name]: undefined }));
        if (mayBeMissing.has(name)) expect(code, name).to.match(/^checked/);
        else expect(code, name).to.equal("ITC_CREDENTIAL_MALFORMED");
        for (const value of [null, 1, {}, [], "", "x", [["x"]]]) {
          expect(await codeOf(await resigned({}, { [name]: value })), name).to.equal("ITC_CREDENTIAL_MALFORMED");
        }
      }
      for (const name of Object.keys(subject)) {
        for (const value of [undefined, null, {}, [], -1, 256, 1.5, "0x", name === "keyKind" ? 1 : "x"]) {
          if (name === "keyKind" && value === "0x") continue;
          const token = await resigned({}, { credentialSubject: { ...subject, [name]: value } });
          expect(await codeOf(token), `${name} ${value}`).to.equal("ITC_CREDENTIAL_MALFORMED");
        }
      }
      const other = deviceDid(world.chainId, rival.id);
      for (const change of [
        { iss: other },
        { sub: other },
        { issuer: { id: 1 } },
        { issuer: maker.id },
        { issuer: `did:ethr:${maker.id}` },
        { issuer: `did:ethr:0x07a69:${maker.id}` },
        { issuer: `did:web:example.com` },
        { type: ["VerifiableCredential"] },
        { "@context": ["https://www.w3.org/2018/credentials/v1"] },
        { validFrom: "2026-02-30T00:00:00Z" },
        { validFrom: "2026-02-03" },
        { validUntil: "2026-02-03T00:00:00" },
        { exp: "1" },
        { nbf: -1 },
        { vc: {} },
        { credentialStatus: { type: "BitstringStatusListEntry" } },
      ]) {
        expect(await codeOf(await resigned({}, change)), JSON.stringify(change)).to.equal("ITC_CREDENTIAL_MALFORMED");
      }
      const named = { issuer: { id: did(), name: "Maker" }, sub: deviceDid(world.chainId, device.id) };
      expect(await failing(await resigned({}, named))).to.deep.equal([]);
    });
  });

  describe("the key", () => {
    it("fails for a key of another DID, another key, or one that there isn't", async () => {
      const own = deviceDid(world.chainId, device.id);
      const foreign = await resigned({ kid: `${deviceDid(world.chainId, rival.id)}#controller` }, {}, rival);
      expect(await failing(foreign)).to.deep.equal(["key", "signature"]);
      expect(await failing(await resigned({}, {}, rival))).to.deep.equal(["signature"]);
      for (const kid of [`${did()}#delegate-1`, `${did()}#`, did(), "#controller", "controller", ""]) {
        expect(await failing(await resigned({ kid })), kid).to.deep.equal(["key", "signature"]);
      }
      // The device's owner controls it and has a key in its document, but didn't sign this.
      const swapped = await resigned({ kid: `${own}#controller`, alg: "ES256" }, { issuer: own, iss: own }, device);
      expect(await failing(swapped)).to.deep.equal(["signature"]);
    });

    it("fails for a key that isn't for assertions", async () => {
      const narrowed = { ...document(), assertionMethod: [] };
      expect(await failing(jwt, { resolver: resolving(narrowed) })).to.deep.equal(["key", "signature"]);
      const [method] = document().verificationMethod;
      const foreign = { ...document(), verificationMethod: [{ ...method, controller: deviceDid(1n, maker.id) }] };
      expect(await failing(jwt, { resolver: resolving(foreign) })).to.deep.equal(["key", "signature"]);
    });

    it("fails for a key used by another algorithm than its own", async () => {
      const id = `${did()}#controller`;
      const showing = (method: object) => ({
        resolver: resolving({ ...document(), verificationMethod: [{ id, controller: did(), ...method }] }),
      });
      const full = (key: DeviceKey) => `04${toHex(key.point).slice(2)}`;
      const compressed = (key: DeviceKey) => toHex(p256Multikey(key.point)).slice(6);
      const ecdsa = "EcdsaSecp256k1VerificationKey2019";
      const p256 = await resigned({ alg: "ES256" }, {}, device);
      const p256AsK1 = await resigned({ alg: "ES256K" }, {}, device);
      const k1AsP256 = await resigned({ alg: "ES256" }, {}, maker);
      const [k1, r1] = [compressed(maker), compressed(device)];
      const right: [string, object][] = [
        [jwt, { type: ecdsa, publicKeyHex: full(maker) }],
        [jwt, { type: ecdsa, publicKeyHex: k1 }],
        [jwt, { type: "Multikey", publicKeyHex: `e701${k1}` }],
        [p256, { type: "Multikey", publicKeyHex: `8024${r1}` }],
      ];
      for (const [token, method] of right) expect(await failing(token, showing(method))).to.deep.equal([]);
      const wrong: [string, object][] = [
        [jwt, { type: ecdsa, publicKeyHex: full(rival) }],
        [jwt, { type: ecdsa, publicKeyHex: `${k1}00` }],
        [jwt, { type: ecdsa, publicKeyHex: "" }],
        [jwt, { type: ecdsa, publicKeyHex: "zz" }],
        [jwt, { type: ecdsa }],
        [jwt, { type: "Multikey", publicKeyHex: `8024${k1}` }],
        [jwt, { type: "Multikey", publicKeyHex: k1 }],
        [jwt, { type: "JsonWebKey2020", publicKeyHex: k1 }],
        [jwt, { type: "EcdsaSecp256k1RecoveryMethod2020" }],
        [p256, { type: "Multikey", publicKeyHex: `e701${r1}` }],
        [p256, { type: ecdsa, publicKeyHex: full(device) }],
        [p256AsK1, { type: "Multikey", publicKeyHex: `8024${r1}` }],
        [k1AsP256, { type: ecdsa, publicKeyHex: k1 }],
        [k1AsP256, { type: "Multikey", publicKeyHex: `e701${k1}` }],
        [k1AsP256, { ...document().verificationMethod[0] }],
      ];
      for (const [token, method] of wrong) {
        expect(await failing(token, showing(method)), JSON.stringify(method)).to.deep.equal(["signature"]);
      }
    });

    it("fails for an account of another chain", async () => {
      const method = { ...document().verificationMethod[0], blockchainAccountId: `eip155:1:${maker.id}` };
      const elsewhere = resolving({ ...document(), verificationMethod: [method] });
      expect(await failing(jwt, { resolver: elsewhere })).to.deep.equal(["signature"]);
      const lower = { ...method, blockchainAccountId: `eip155:${world.chainId}:${maker.id.toLowerCase()}` };
      expect(await failing(jwt, { resolver: resolving({ ...document(), verificationMethod: [lower] }) })).to.deep.equal(
        [],
      );
    });

    it("fails when the document is deactivated, of another DID, malformed or not found", async () => {
      const ended = resolving(document(), { deactivated: true });
      expect(await failing(jwt, { resolver: ended })).to.deep.equal(["issuer"]);
      const other = documentOf(deviceDid(world.chainId, rival.id), [], NOW).didDocument;
      for (const wrong of [null, undefined, {}, 1, other, { ...document(), verificationMethod: [1] }]) {
        const answer = await failing(jwt, { resolver: resolving(wrong) });
        expect(answer, JSON.stringify(wrong)).to.deep.equal(["issuer", "key", "signature"]);
      }
      // A revoked device is at its end, and so are its DID and what it says.
      const own = await issueCredential({ ...endorsement, issuer: device.id }, device, "delegate-1");
      await world.registry.connect(makerWallet(maker, "credential-maker")).revokeDevice(lot.id, device.id);
      expect(await failing(own)).to.deep.equal(["issuer", "key", "signature"]);
      const away = await issueCredential({ ...endorsement, chainId: 1n }, maker);
      expect(await failing(away)).to.deep.equal(["issuer", "key", "signature"]);
    });
  });

  describe("the dates", () => {
    it("fail before the beginning and from the end on, of credential or signature", async () => {
      for (const now of [FROM, NOW, UNTIL - 1n]) expect(await failing(jwt, { now })).to.deep.equal([]);
      for (const now of [0n, FROM - 1n, UNTIL, UNTIL + 1n, 2n ** 40n, 2n ** 64n]) {
        expect(await failing(jwt, { now }), String(now)).to.deep.equal(["dates"]);
      }
      expect(await failing(await resigned({}, { exp: Number(NOW) }))).to.deep.equal(["dates"]);
      expect(await failing(await resigned({}, { nbf: Number(NOW) + 1 }))).to.deep.equal(["dates"]);
      expect(await failing(await resigned({}, { exp: Number(NOW) + 1, nbf: Number(NOW) }))).to.deep.equal([]);
      const open = await resigned({}, { validUntil: undefined });
      expect(await failing(open, { now: 2n ** 40n })).to.deep.equal([]);
    });
  });

  describe("the chain", () => {
    const onChain = () => ({ registry: world.registry });

    it("refuses a maker that didn't endorse the device, and one that isn't registered any more", async () => {
      const foreign = await issueCredential({ ...endorsement, issuer: rival.id }, rival);
      expect(await failing(foreign)).to.deep.equal([]);
      expect(await failing(foreign, onChain())).to.deep.equal(["lot"]);
      await world.registry.revokeIssuer(maker.id);
      expect(await failing(jwt, onChain())).to.deep.equal(["registered"]);
    });

    it("refuses a device that was revoked, or never active", async () => {
      const never = await issueCredential({ ...endorsement, device: unborn.id }, maker);
      expect(await failing(never, onChain())).to.deep.equal(["device", "lot", "assurance"]);
      await world.registry.connect(makerWallet(maker, "credential-maker")).revokeDevice(lot.id, device.id);
      expect(await failing(jwt, onChain())).to.deep.equal(["device"]);
      const { findings } = await checkCredential(jwt, trust(onChain()));
      expect(findings.find(({ what }) => what === "device")?.detail).to.equal(`${device.id} is revoked`);
    });

    it("refuses more assurance than the lot has, and another lot", async () => {
      expect(await failing(await issueCredential({ ...endorsement, assurance: 3 }, maker), onChain())).to.deep.equal([
        "assurance",
      ]);
      expect(await failing(await issueCredential({ ...endorsement, assurance: 1 }, maker), onChain())).to.deep.equal(
        [],
      );
      const otherLot = await enrolLot(world, makerWallet(maker, "credential-maker"), [unborn]);
      const moved = await issueCredential({ ...endorsement, lot: otherLot.id }, maker);
      expect(await failing(moved, onChain())).to.deep.equal(["lot"]);
    });

    it("refuses another chain and a place without such a contract", async () => {
      const subject = decode(jwt.split(".")[1]).credentialSubject as object;
      const elsewhere = { credentialSubject: { ...subject, id: deviceDid(1n, device.id) } };
      expect(await failing(await resigned({}, elsewhere), onChain())).to.deep.equal(["chain"]);
      const registry = DeviceRegistry__factory.connect(rival.id, world.ethers.provider);
      expect(await failing(jwt, { registry })).to.deep.equal(["device"]);
    });

    it("needs a node", async () => {
      const registry = DeviceRegistry__factory.connect(world.addresses.DeviceRegistry);
      const error: unknown = await checkCredential(jwt, trust({ registry })).catch((cause: unknown) => cause);
      expect(error).to.be.instanceOf(CredentialError).with.property("code", "ITC_CREDENTIAL_NO_NODE");
    });
  });
});
