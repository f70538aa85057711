import { expect } from "chai";
import { createJWT, ES256KSigner } from "did-jwt";
import { CredentialError, checkCredential, MAX_CREDENTIAL_LENGTH } from "../../toolkit/identity/credential.js";
import { deviceDid } from "../../toolkit/identity/did.js";
import { fromHex } from "../../toolkit/internal/bytes.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { CredentialWorld, decode, device, encode, headerOf, maker, resolving, rival } from "./credential-world.js";

describe("The format of credentials", () => {
  let world: CredentialWorld;

  before(async () => {
    world = await CredentialWorld.create();
  });

  describe("a changed credential", () => {
    it("fails or is refused for every change of a character, and never throws anything else", async () => {
      const own = await world.bySelf();
      const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
      const passed: string[] = [];
      for (const [token, issuer] of [
        [world.jwt, world.document],
        [own, (await world.resolver.resolve(deviceDid(world.chain.chainId, device.id))).didDocument],
      ] as const) {
        const fixed = world.trust({ resolver: resolving(issuer) });
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
      expect(await world.codeOf("x".repeat(MAX_CREDENTIAL_LENGTH + 1))).to.equal("ITC_CREDENTIAL_TOO_LARGE");
      const [header = "", payload = "", signature = ""] = world.jwt.split(".");
      const latin = Buffer.from([0x22, 0xff, 0x22]).toString("base64url");
      for (const token of [
        "",
        "..",
        ".".repeat(9000),
        `${header}.${payload}`,
        `${header}.${payload}.`,
        `${world.jwt}.${signature}`,
        `.${world.jwt}`,
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
        `${header}.${Buffer.from("[".repeat(5000) + "]".repeat(5000)).toString("base64url")}.${signature}`,
        `${header}.${Buffer.from('{"a":1}}').toString("base64url")}.${signature}`,
      ]) {
        expect(await world.codeOf(token), token.slice(0, 60)).to.equal("ITC_CREDENTIAL_MALFORMED");
      }
    });

    it("is refused for any other algorithm or type", async () => {
      for (const alg of ["none", "None", "HS256", "ES256K-R", "ES384", "EdDSA", "es256k", "", 1, null, ["ES256K"]]) {
        expect(await world.codeOf(await world.resigned({ alg })), String(alg)).to.equal("ITC_CREDENTIAL_MALFORMED");
      }
      const [header, payload = ""] = world.jwt.split(".");
      const none = encode({ ...decode(header), alg: "none" });
      expect(await world.codeOf(`${none}.${payload}.`)).to.equal("ITC_CREDENTIAL_MALFORMED");
      for (const typ of ["JWT", "vc+ld+world.jwt", "vp+world.jwt", "", undefined]) {
        expect(await world.codeOf(await world.resigned({ typ })), String(typ)).to.equal("ITC_CREDENTIAL_MALFORMED");
      }
      const secret = fromHex(secretOf(1, "credential-maker"));
      const recoverable = { issuer: world.did, signer: ES256KSigner(secret, true), alg: "ES256K-R" };
      const theirs = await createJWT(decode(payload), recoverable, headerOf("ES256K-R", `${world.did}#controller`));
      expect(await world.codeOf(theirs)).to.equal("ITC_CREDENTIAL_MALFORMED");
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
        { kid: `${world.did}#${"x".repeat(300)}` },
      ]) {
        expect(await world.codeOf(await world.resigned(header)), JSON.stringify(header)).to.equal(
          "ITC_CREDENTIAL_MALFORMED",
        );
      }
      expect(await world.failing(await world.resigned({ cty: "vc" }))).to.deep.equal([]);
    });

    it("is refused when a part is missing, contradicts or of another type", async () => {
      const payload = decode(world.jwt.split(".")[1]);
      const subject = payload.credentialSubject as object;
      const mayBeMissing = new Set(["iss", "validUntil"]);
      for (const name of Object.keys(payload)) {
        const code = await world.codeOf(await world.resigned({}, { [name]: undefined }));
        if (mayBeMissing.has(name)) expect(code, name).to.match(/^checked/);
        else expect(code, name).to.equal("ITC_CREDENTIAL_MALFORMED");
        for (const value of [null, 1, {}, [], "", "x", [["x"]]]) {
          expect(await world.codeOf(await world.resigned({}, { [name]: value })), name).to.equal(
            "ITC_CREDENTIAL_MALFORMED",
          );
        }
      }
      for (const name of Object.keys(subject)) {
        for (const value of [undefined, null, {}, [], -1, 256, 1.5, "0x", name === "keyKind" ? 1 : "x"]) {
          if (name === "keyKind" && value === "0x") continue;
          const token = await world.resigned({}, { credentialSubject: { ...subject, [name]: value } });
          expect(await world.codeOf(token), `${name} ${value}`).to.equal("ITC_CREDENTIAL_MALFORMED");
        }
      }
      const other = deviceDid(world.chain.chainId, rival.id);
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
        expect(await world.codeOf(await world.resigned({}, change)), JSON.stringify(change)).to.equal(
          "ITC_CREDENTIAL_MALFORMED",
        );
      }
      const named = { issuer: { id: world.did, name: "Maker" }, sub: deviceDid(world.chain.chainId, device.id) };
      expect(await world.failing(await world.resigned({}, named))).to.deep.equal([]);
    });
  });
});
