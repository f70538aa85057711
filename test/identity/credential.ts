import { expect } from "chai";
import { createJWT, ES256KSigner, ES256Signer, verifyJWS, verifyJWT } from "did-jwt";
import { DeviceRegistry__factory } from "../../toolkit/contracts.js";
import { CredentialError, checkCredential } from "../../toolkit/identity/credential.js";
import { deviceDid, documentOf, p256Multikey } from "../../toolkit/identity/did.js";
import type { DeviceKey } from "../../toolkit/identity/keys.js";
import { fromHex, toHex } from "../../toolkit/internal/bytes.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import {
  CredentialWorld,
  decode,
  device,
  FROM,
  headerOf,
  maker,
  NOW,
  resolving,
  rival,
  UNTIL,
  unborn,
} from "./credential-world.js";
import { enrolLot, highS } from "./fleet.js";

describe("A device's endorsement as a verifiable credential", () => {
  let world: CredentialWorld;
  let restore: () => Promise<void>;

  before(async () => {
    world = await CredentialWorld.create();
  });

  beforeEach(async () => {
    const snapshot = await world.chain.networkHelpers.takeSnapshot();
    restore = () => snapshot.restore();
  });

  afterEach(() => restore());

  describe("a maker's credential", () => {
    it("holds against the maker's DID document and the registry", async () => {
      const { holds, findings, credential } = await checkCredential(
        world.jwt,
        world.trust({ registry: world.chain.registry }),
      );
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
      const subject = deviceDid(world.chain.chainId, device.id);
      expect(credential).to.deep.equal({
        issuer: world.did,
        subject,
        device: device.id,
        validFrom: FROM,
        validUntil: UNTIL,
        claims: { id: subject, lot: world.lot.id, keyKind: "p256", assurance: 2 },
      });
    });

    it("holds for a P-256 key that the document shows as a Multikey", async () => {
      const own = await world.bySelf();
      expect(await world.failing(own)).to.deep.equal([]);
      expect(decode(own.split(".")[0]).alg).to.equal("ES256");
    });

    it("is what did-jwt accepts", async () => {
      const verified = await verifyJWT(world.jwt, { resolver: world.resolver, proofPurpose: "assertionMethod" });
      expect([verified.verified, verified.signer.id]).to.deep.equal([true, `${world.did}#controller`]);
      const own = await world.bySelf();
      // did-jwt reads Multikeys in multibase alone, so it is given the point as a JWK.
      const [x, y] = [device.material.subarray(0, 32), device.material.subarray(32)].map((half) =>
        Buffer.from(half).toString("base64url"),
      );
      const jwk = { kty: "EC", crv: "P-256", x: x ?? "", y: y ?? "" };
      const method = { id: "#key", type: "JsonWebKey2020", controller: "", publicKeyJwk: jwk };
      expect(verifyJWS(own, [method])).to.equal(method);
    });

    it("may be did-jwt's, by ES256K and ES256, in either half of s", async () => {
      const payload = decode(world.jwt.split(".")[1]);
      const options = { issuer: world.did, signer: ES256KSigner(fromHex(secretOf(1, "credential-maker"))) };
      const theirs = await createJWT(
        payload,
        { ...options, alg: "ES256K" },
        headerOf("ES256K", `${world.did}#controller`),
      );
      expect(await world.failing(theirs, { registry: world.chain.registry })).to.deep.equal([]);
      const [header = "", body = "", signature] = theirs.split(".");
      const high = highS(toHex(Buffer.from(signature ?? "", "base64url")), "secp256k1");
      const other = `${header}.${body}.${Buffer.from(fromHex(high)).toString("base64url")}`;
      expect(other).not.to.equal(theirs);
      expect(await world.failing(other)).to.deep.equal([]);

      const issuer = deviceDid(world.chain.chainId, device.id);
      const signer = ES256Signer(fromHex(secretOf(1, "credential-device")));
      for (let k = 0; k < 8; k++) {
        const claims = { ...payload, issuer, nonce: k };
        const header = headerOf("ES256", `${issuer}#delegate-1`);
        expect(await world.failing(await createJWT(claims, { issuer, signer, alg: "ES256" }, header))).to.deep.equal(
          [],
        );
      }
    });

    it("says what the maker claims, and no claim changes who it is about", async () => {
      const claims = { model: "WS-7", serial: 12, assurance: 3, id: "did:ethr:0x1:0x0", nested: { a: [1] } };
      const { holds, credential } = await checkCredential(
        await world.issued({ claims }),
        world.trust({ registry: world.chain.registry }),
      );
      expect(holds).to.equal(true);
      const subject = {
        id: deviceDid(world.chain.chainId, device.id),
        lot: world.lot.id,
        keyKind: "p256",
        assurance: 2,
      };
      expect(credential.claims).to.deep.equal({ ...claims, ...subject });
    });

    it("isn't issued to end before it begins", async () => {
      for (const validUntil of [FROM, FROM - 1n]) {
        const error: unknown = await world.issued({ validUntil }).catch((e: unknown) => e);
        expect(error).to.be.instanceOf(CredentialError).with.property("code", "ITC_CREDENTIAL_DATES");
      }
    });
  });

  describe("the key", () => {
    it("fails for a key of another DID, another key, or one that there isn't", async () => {
      const own = deviceDid(world.chain.chainId, device.id);
      const foreign = await world.resigned(
        { kid: `${deviceDid(world.chain.chainId, rival.id)}#controller` },
        {},
        rival,
      );
      expect(await world.failing(foreign)).to.deep.equal(["key", "signature"]);
      expect(await world.failing(await world.resigned({}, {}, rival))).to.deep.equal(["signature"]);
      for (const kid of [`${world.did}#delegate-1`, `${world.did}#`, world.did, "#controller", "controller", ""]) {
        expect(await world.failing(await world.resigned({ kid })), kid).to.deep.equal(["key", "signature"]);
      }
      // The device's owner controls it and has a key in its document, but didn't sign this.
      const swapped = await world.resigned(
        { kid: `${own}#controller`, alg: "ES256" },
        { issuer: own, iss: own },
        device,
      );
      expect(await world.failing(swapped)).to.deep.equal(["signature"]);
    });

    it("fails for a key that isn't for assertions", async () => {
      const narrowed = { ...world.document, assertionMethod: [] };
      expect(await world.failing(world.jwt, { resolver: resolving(narrowed) })).to.deep.equal(["key", "signature"]);
      const [method] = world.document.verificationMethod;
      const foreign = { ...world.document, verificationMethod: [{ ...method, controller: deviceDid(1n, maker.id) }] };
      expect(await world.failing(world.jwt, { resolver: resolving(foreign) })).to.deep.equal(["key", "signature"]);
    });

    it("fails for a key used by another algorithm than its own", async () => {
      const id = `${world.did}#controller`;
      const showing = (method: object) => ({
        resolver: resolving({ ...world.document, verificationMethod: [{ id, controller: world.did, ...method }] }),
      });
      const full = (key: DeviceKey) => `04${toHex(key.material).slice(2)}`;
      const compressed = (key: DeviceKey) => toHex(p256Multikey(key.material)).slice(6);
      const ecdsa = "EcdsaSecp256k1VerificationKey2019";
      const p256 = await world.resigned({ alg: "ES256" }, {}, device);
      const p256AsK1 = await world.resigned({ alg: "ES256K" }, {}, device);
      const k1AsP256 = await world.resigned({ alg: "ES256" }, {}, maker);
      const [k1, r1] = [compressed(maker), compressed(device)];
      const right: [string, object][] = [
        [world.jwt, { type: ecdsa, publicKeyHex: full(maker) }],
        [world.jwt, { type: ecdsa, publicKeyHex: k1 }],
        [world.jwt, { type: "Multikey", publicKeyHex: `e701${k1}` }],
        [p256, { type: "Multikey", publicKeyHex: `8024${r1}` }],
      ];
      for (const [token, method] of right) expect(await world.failing(token, showing(method))).to.deep.equal([]);
      const wrong: [string, object][] = [
        [world.jwt, { type: ecdsa, publicKeyHex: full(rival) }],
        [world.jwt, { type: ecdsa, publicKeyHex: `${k1}00` }],
        [world.jwt, { type: ecdsa, publicKeyHex: "" }],
        [world.jwt, { type: ecdsa, publicKeyHex: "zz" }],
        [world.jwt, { type: ecdsa }],
        [world.jwt, { type: "Multikey", publicKeyHex: `8024${k1}` }],
        [world.jwt, { type: "Multikey", publicKeyHex: k1 }],
        [world.jwt, { type: "JsonWebKey2020", publicKeyHex: k1 }],
        [world.jwt, { type: "EcdsaSecp256k1RecoveryMethod2020" }],
        [p256, { type: "Multikey", publicKeyHex: `e701${r1}` }],
        [p256, { type: ecdsa, publicKeyHex: full(device) }],
        [p256AsK1, { type: "Multikey", publicKeyHex: `8024${r1}` }],
        [k1AsP256, { type: ecdsa, publicKeyHex: k1 }],
        [k1AsP256, { type: "Multikey", publicKeyHex: `e701${k1}` }],
        [k1AsP256, { ...world.document.verificationMethod[0] }],
      ];
      for (const [token, method] of wrong) {
        expect(await world.failing(token, showing(method)), JSON.stringify(method)).to.deep.equal(["signature"]);
      }
    });

    it("fails for an account of another chain", async () => {
      const method = { ...world.document.verificationMethod[0], blockchainAccountId: `eip155:1:${maker.id}` };
      const elsewhere = resolving({ ...world.document, verificationMethod: [method] });
      expect(await world.failing(world.jwt, { resolver: elsewhere })).to.deep.equal(["signature"]);
      const lower = { ...method, blockchainAccountId: `eip155:${world.chain.chainId}:${maker.id.toLowerCase()}` };
      expect(
        await world.failing(world.jwt, { resolver: resolving({ ...world.document, verificationMethod: [lower] }) }),
      ).to.deep.equal([]);
    });

    it("fails when the document is deactivated, of another DID, malformed or not found", async () => {
      const ended = resolving(world.document, { deactivated: true });
      expect(await world.failing(world.jwt, { resolver: ended })).to.deep.equal(["issuer"]);
      const other = documentOf(deviceDid(world.chain.chainId, rival.id), [], NOW).didDocument;
      for (const wrong of [null, undefined, {}, 1, other, { ...world.document, verificationMethod: [1] }]) {
        const answer = await world.failing(world.jwt, { resolver: resolving(wrong) });
        expect(answer, JSON.stringify(wrong)).to.deep.equal(["issuer", "key", "signature"]);
      }
      // A revoked device is at its end, and so are its DID and what it says.
      const own = await world.bySelf();
      await world.chain.registry.connect(world.wallet).revokeDevice(world.lot.id, device.id);
      expect(await world.failing(own)).to.deep.equal(["issuer", "key", "signature"]);
      const away = await world.issued({ chainId: 1n });
      expect(await world.failing(away)).to.deep.equal(["issuer", "key", "signature"]);
    });
  });

  describe("the dates", () => {
    it("fail before the beginning and from the end on, of credential or signature", async () => {
      for (const now of [FROM, NOW, UNTIL - 1n]) expect(await world.failing(world.jwt, { now })).to.deep.equal([]);
      for (const now of [0n, FROM - 1n, UNTIL, UNTIL + 1n, 2n ** 40n, 2n ** 64n]) {
        expect(await world.failing(world.jwt, { now }), String(now)).to.deep.equal(["dates"]);
      }
      expect(await world.failing(await world.resigned({}, { exp: Number(NOW) }))).to.deep.equal(["dates"]);
      expect(await world.failing(await world.resigned({}, { nbf: Number(NOW) + 1 }))).to.deep.equal(["dates"]);
      expect(await world.failing(await world.resigned({}, { exp: Number(NOW) + 1, nbf: Number(NOW) }))).to.deep.equal(
        [],
      );
      const open = await world.resigned({}, { validUntil: undefined });
      expect(await world.failing(open, { now: 2n ** 40n })).to.deep.equal([]);
    });
  });

  describe("the chain", () => {
    const onChain = () => ({ registry: world.chain.registry });

    it("refuses a maker that didn't endorse the device, and one that isn't registered any more", async () => {
      const foreign = await world.issued({ issuer: rival.id }, rival);
      expect(await world.failing(foreign)).to.deep.equal([]);
      expect(await world.failing(foreign, onChain())).to.deep.equal(["lot"]);
      await world.chain.registry.revokeIssuer(maker.id);
      expect(await world.failing(world.jwt, onChain())).to.deep.equal(["registered"]);
    });

    it("refuses a device that was revoked, or never active", async () => {
      const never = await world.issued({ device: unborn.id });
      expect(await world.failing(never, onChain())).to.deep.equal(["device", "lot", "assurance"]);
      await world.chain.registry.connect(world.wallet).revokeDevice(world.lot.id, device.id);
      expect(await world.failing(world.jwt, onChain())).to.deep.equal(["device"]);
      const { findings } = await checkCredential(world.jwt, world.trust(onChain()));
      expect(findings.find(({ what }) => what === "device")?.detail).to.equal(`${device.id} is revoked`);
    });

    it("refuses more assurance than the lot has, and another lot", async () => {
      expect(await world.failing(await world.issued({ assurance: 3 }), onChain())).to.deep.equal(["assurance"]);
      expect(await world.failing(await world.issued({ assurance: 1 }), onChain())).to.deep.equal([]);
      const otherLot = await enrolLot(world.chain, world.wallet, [unborn]);
      const moved = await world.issued({ lot: otherLot.id });
      expect(await world.failing(moved, onChain())).to.deep.equal(["lot"]);
    });

    it("refuses another chain and a place without such a contract", async () => {
      const subject = decode(world.jwt.split(".")[1]).credentialSubject as object;
      const elsewhere = { credentialSubject: { ...subject, id: deviceDid(1n, device.id) } };
      expect(await world.failing(await world.resigned({}, elsewhere), onChain())).to.deep.equal(["chain"]);
      const registry = DeviceRegistry__factory.connect(rival.id, world.chain.ethers.provider);
      expect(await world.failing(world.jwt, { registry })).to.deep.equal(["device"]);
    });

    it("needs a node", async () => {
      const registry = DeviceRegistry__factory.connect(world.chain.addresses.DeviceRegistry);
      const error: unknown = await checkCredential(world.jwt, world.trust({ registry })).catch(
        (cause: unknown) => cause,
      );
      expect(error).to.be.instanceOf(CredentialError).with.property("code", "ITC_CREDENTIAL_NO_NODE");
    });
  });
});
