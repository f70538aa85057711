import { encode } from "cborg";
import { expect } from "chai";
import { base64url, calculateJwkThumbprint, GeneralEncrypt, generalDecrypt } from "jose";
import { contentHash } from "../../toolkit/anchoring/contents.js";
import {
  type EcPrivateJwk,
  type EcPublicJwk,
  MAX_RECIPIENTS,
  MAX_SEALED_BYTES,
  readSealed,
  SealError,
  type SealedJwe,
  writeSealed,
} from "../../toolkit/anchoring/jwe.js";
import {
  isPlaintext,
  jwkOfSecret,
  openSealed,
  plainContent,
  regrant,
  type Sealed,
  seal,
  sealedHash,
  thumbprintOf,
} from "../../toolkit/anchoring/sealing.js";
import { fromHex, toHex } from "../../toolkit/internal/bytes.js";
import { unwrapKey, wrapKey } from "../../toolkit/internal/key-wrap.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { Dice } from "../invariant/dice.js";

const SEED = Number(process.env.SEED ?? 7516);
const keyOf = (label: string): EcPrivateJwk => jwkOfSecret(fromHex(secretOf(7516, label)));
const [owner, clinic, stranger] = [keyOf("owner"), keyOf("clinic"), keyOf("stranger")];
const secret = Buffer.from("pulse 61");

async function refusal(act: () => Promise<unknown> | unknown): Promise<string> {
  try {
    await act();
    return "none";
  } catch (error) {
    return error instanceof SealError ? error.code : `not ours: ${error}`;
  }
}

/** A JWE of the same key for all, made by `jose` alone. */
async function byJose(plaintext: Uint8Array, keys: readonly EcPublicJwk[]): Promise<SealedJwe> {
  const encrypt = new GeneralEncrypt(plaintext).setProtectedHeader({ enc: "A256GCM" });
  for (const { kty, crv, x, y } of keys) {
    const kid = await calculateJwkThumbprint({ kty, crv, x, y });
    encrypt.addRecipient({ kty, crv, x, y }).setUnprotectedHeader({ alg: "ECDH-ES+A256KW", kid });
  }
  return readSealed(JSON.stringify(await encrypt.encrypt()));
}

describe("Sealed payloads", () => {
  let sealed: Sealed;

  before(async () => {
    sealed = await seal(secret, [owner, clinic], { contentType: "text/plain" });
  });

  it("are opened by each recipient, with what proves them, and by nobody else", async () => {
    for (const key of [owner, clinic]) {
      const opened = await openSealed(sealed.jwe, key, sealed.content);
      expect(Buffer.from(opened.plaintext).toString()).to.equal("pulse 61");
      expect(isPlaintext(sealed.content, opened)).to.equal(true);
      expect(plainContent(opened)).to.deep.equal(sealed.plain);
    }
    expect(await refusal(() => openSealed(sealed.jwe, stranger, sealed.content))).to.equal("ITC_SEAL_NO_ACCESS");
    const renamed = structuredClone(sealed.jwe);
    const [first] = renamed.recipients;
    if (first) first.header.kid = base64url.encode(await thumbprintOf(stranger));
    expect(await refusal(() => openSealed(renamed, stranger, sealed.content))).to.equal("ITC_SEAL_BROKEN");
  });

  it("are read back as they were written, for one recipient and for many", async () => {
    expect(readSealed(writeSealed(sealed.jwe))).to.deep.equal(sealed.jwe);
    const keys = Array.from({ length: MAX_RECIPIENTS }, (_, k) => keyOf(`recipient ${k}`));
    for (const recipients of [keys.slice(0, 1), keys]) {
      const { jwe, content } = await seal(secret, recipients);
      const last = recipients.at(-1) ?? owner;
      expect(Buffer.from((await openSealed(readSealed(writeSealed(jwe)), last, content)).plaintext)).to.deep.equal(
        secret,
      );
    }
  });

  it("are opened by jose, and open what jose has sealed", async () => {
    const { plaintext, protectedHeader } = await generalDecrypt(sealed.jwe, { ...clinic });
    expect(protectedHeader).to.deep.equal({ enc: "A256GCM", cty: "text/plain" });
    expect(toHex(plaintext)).to.equal(toHex(encode([sealed.plain.salt, secret])));
    const jwe = await byJose(encode([sealed.plain.salt, secret]), [owner, clinic]);
    const content = { ...sealed.content, ciphertext: sealedHash(jwe) };
    expect(Buffer.from((await openSealed(jwe, owner, content)).plaintext)).to.deep.equal(secret);
    const wider = await regrant(jwe, owner, stranger);
    expect((await generalDecrypt(wider, { ...stranger })).plaintext.length).to.equal(plaintext.length);
  });

  it("wrap keys that only the other side of the key agreement unwraps", async () => {
    const content = fromHex(secretOf(1, "content key"));
    const wrapped = await wrapKey(content, stranger, owner);
    expect(toHex(await unwrapKey(wrapped, owner, stranger))).to.equal(toHex(content));
    const error: unknown = await unwrapKey(wrapped, clinic, stranger).catch((cause: unknown) => cause);
    expect(error).to.be.instanceOf(DOMException);
  });

  it("can be read by one more later, and what is anchored stays", async () => {
    const wider = await regrant(sealed.jwe, clinic, stranger);
    expect(toHex(sealedHash(wider))).to.equal(toHex(sealed.content.ciphertext));
    for (const key of [owner, clinic, stranger]) {
      expect(Buffer.from((await openSealed(wider, key, sealed.content)).plaintext)).to.deep.equal(secret);
    }
    expect(await refusal(() => regrant(sealed.jwe, stranger, stranger))).to.equal("ITC_SEAL_NO_ACCESS");
    expect(await refusal(() => regrant(sealed.jwe, owner, clinic))).to.equal("ITC_SEAL_RECIPIENTS");
    const broken = structuredClone(sealed.jwe);
    const [first] = broken.recipients;
    if (first) first.encrypted_key = base64url.encode(new Uint8Array(40));
    expect(await refusal(() => regrant(broken, owner, stranger))).to.equal("ITC_SEAL_BROKEN");
  });

  it("tell the anchored content no more than fresh random bytes", async () => {
    const again = await seal(secret, [owner, clinic], { contentType: "text/plain" });
    const words = ({ content, jwe, plain }: Sealed) =>
      [content.ciphertext, content.plain, content.salt, plain.salt].map(toHex).concat(jwe.iv, jwe.ciphertext, jwe.tag);
    expect(new Set([...words(sealed), ...words(again)]).size).to.equal(14);
    // A guess needs the salt, which is nowhere but inside.
    const shown = JSON.stringify([sealed.jwe, words(sealed).slice(0, 3)]);
    for (const salt of [toHex(sealed.plain.salt).slice(2), base64url.encode(sealed.plain.salt)])
      expect(shown).not.to.include(salt);
    expect(isPlaintext(sealed.content, { plaintext: secret, plainSalt: sealed.content.salt })).to.equal(false);
  });

  it("prove one plaintext to somebody without a key", () => {
    const opened = { plaintext: secret, plainSalt: sealed.plain.salt };
    expect(isPlaintext(sealed.content, opened)).to.equal(true);
    expect(isPlaintext(sealed.content, { ...opened, plaintext: Buffer.from("pulse 62") })).to.equal(false);
    expect(isPlaintext(sealed.content, { ...opened, plainSalt: new Uint8Array(32) })).to.equal(false);
    expect(isPlaintext(sealed.content, { ...opened, plainSalt: new Uint8Array() })).to.equal(false);
  });

  it("are refused when it isn't the ciphertext, or not the plaintext, that the device signed", async () => {
    const other = await seal(secret, [owner]);
    expect(await refusal(() => openSealed(other.jwe, owner, sealed.content))).to.equal("ITC_SEAL_OTHER");
    const parts = ["protected", "iv", "ciphertext", "tag"] as const;
    for (const part of parts) {
      const jwe = { ...sealed.jwe, [part]: other.jwe[part] };
      expect(await refusal(() => openSealed(jwe, owner, sealed.content))).to.equal("ITC_SEAL_OTHER");
      const signed = { ...sealed.content, ciphertext: sealedHash(jwe) };
      expect(await refusal(() => openSealed(jwe, owner, signed))).to.equal("ITC_SEAL_BROKEN");
    }
    const content = { ...sealed.content, plain: other.content.plain };
    expect(await refusal(() => openSealed(sealed.jwe, owner, content))).to.equal("ITC_SEAL_PLAINTEXT");
    for (const inside of [[secret], [secret, secret], [sealed.plain.salt, "text"], { 0: 1 }, null]) {
      const jwe = await byJose(encode(inside), [owner, clinic]);
      const signed = { ...sealed.content, ciphertext: sealedHash(jwe) };
      expect(await refusal(() => openSealed(jwe, owner, signed))).to.equal("ITC_SEAL_PLAINTEXT");
    }
    const jwe = await byJose(Uint8Array.of(0x9f), [owner, clinic]);
    const signed = { ...sealed.content, ciphertext: sealedHash(jwe) };
    expect(await refusal(() => openSealed(jwe, owner, signed)), "no CBOR inside").to.equal("ITC_SEAL_BROKEN");
  });

  it("are refused for keys and recipients that can't be", async () => {
    expect(await refusal(() => seal(secret, []))).to.equal("ITC_SEAL_RECIPIENTS");
    expect(await refusal(() => seal(secret, [owner, owner]))).to.equal("ITC_SEAL_RECIPIENTS");
    const many = Array.from({ length: MAX_RECIPIENTS + 1 }, (_, k) => keyOf(`recipient ${k}`));
    expect(await refusal(() => seal(secret, many))).to.equal("ITC_SEAL_RECIPIENTS");
    const keys = [
      { ...owner, y: owner.x },
      { ...owner, x: "" },
      { ...owner, crv: "P-384" },
      { ...owner, kty: "OKP" },
    ];
    for (const key of keys) expect(await refusal(() => seal(secret, [key as EcPublicJwk]))).to.equal("ITC_SEAL_KEY");
    expect(await refusal(() => seal(new Uint8Array(MAX_SEALED_BYTES), [owner]))).to.equal("ITC_SEAL_TOO_LARGE");
  });

  it("are read with the algorithms of this form only, whatever a header asks for", async () => {
    const header = (value: object) => base64url.encode(JSON.stringify(value));
    const changed = (change: (jwe: SealedJwe & Record<string, unknown>) => void): Promise<string> => {
      const jwe = structuredClone(sealed.jwe) as SealedJwe & Record<string, unknown>;
      change(jwe);
      return refusal(() => readSealed(JSON.stringify(jwe)));
    };
    const enc = "A256GCM";
    const protectedHeaders = [
      {},
      { enc: "none" },
      { enc: "A128GCM" },
      { enc: "A256CBC-HS512" },
      { enc, zip: "DEF" },
      { enc, crit: ["exp"], exp: 1 },
      { enc, alg: "dir" },
      { enc, jku: "https://example.org/keys" },
      { enc, cty: 7 },
    ];
    for (const value of protectedHeaders) {
      expect(await changed((jwe) => Object.assign(jwe, { protected: header(value) }))).to.equal("ITC_SEAL_MALFORMED");
    }
    const recipientHeaders = [
      { alg: "none" },
      { alg: "dir" },
      { alg: "ECDH-ES" },
      { alg: "ECDH-ES+A128KW" },
      { alg: "PBES2-HS512+A256KW", p2c: 2 ** 31, p2s: "AAAAAAAAAAA" },
      { alg: "RSA-OAEP" },
      { apu: "AAAA" },
      { epk: { kty: "EC", crv: "P-521", x: "AA", y: "AA" } },
      { epk: { kty: "OKP", crv: "X25519", x: "AA" } },
      { epk: { ...sealed.jwe.recipients[0]?.header.epk, d: "AA" } },
    ];
    for (const value of recipientHeaders) {
      expect(await changed((jwe) => Object.assign(jwe.recipients[0]?.header ?? {}, value))).to.equal(
        "ITC_SEAL_MALFORMED",
      );
    }
    const members = [
      { unprotected: {} },
      { aad: "AAAA" },
      { recipients: [] },
      { iv: "" },
      { tag: "AAAA" },
      { iv: undefined },
    ];
    for (const value of members)
      expect(await changed((jwe) => Object.assign(jwe, value))).to.equal("ITC_SEAL_MALFORMED");
    // Another spelling of the same bytes: the last digit has bits to spare.
    const spelled = (text: string) =>
      `${text.slice(0, -1)}${text.at(-1) === "A" ? "B" : String.fromCharCode((text.charCodeAt(text.length - 1) ?? 0) + 1)}`;
    expect(await changed((jwe) => Object.assign(jwe, { tag: spelled(jwe.tag) }))).to.equal("ITC_SEAL_MALFORMED");
    expect(await changed((jwe) => Object.assign(jwe, { tag: `${jwe.tag}=` }))).to.equal("ITC_SEAL_MALFORMED");
    expect(await changed((jwe) => jwe.recipients.push(...jwe.recipients))).to.equal("ITC_SEAL_MALFORMED");
    const crowd = Array.from({ length: MAX_RECIPIENTS + 1 }, () => sealed.jwe.recipients[0]);
    expect(await changed((jwe) => Object.assign(jwe, { recipients: crowd }))).to.equal("ITC_SEAL_MALFORMED");
  });

  it("are refused when they are too large, nested or no JSON", async () => {
    expect(await refusal(() => readSealed("x".repeat(MAX_SEALED_BYTES * 2)))).to.equal("ITC_SEAL_TOO_LARGE");
    for (const json of ["", "null", "[]", "{}", "[".repeat(100_000), '{"__proto__":{}}', "\u0000"]) {
      expect(await refusal(() => readSealed(json))).to.equal("ITC_SEAL_MALFORMED");
    }
  });

  it("throw nothing but their own error for any change of a character", async () => {
    const dice = new Dice(SEED);
    const text = writeSealed(sealed.jwe);
    for (let run = 0; run < 1500; run++) {
      const at = dice.below(text.length);
      const by = dice.chance(50) ? String.fromCharCode(32 + dice.below(95)) : "";
      const changed = text.slice(0, at) + by + text.slice(at + 1);
      const code = await refusal(() => openSealed(readSealed(changed), owner, sealed.content));
      // A change of how the other recipient gets the key is none for the owner.
      if (changed !== text) expect(code, `SEED=${SEED}: ${changed}`).to.match(/^(none|ITC_SEAL_[A-Z_]+)$/);
    }
  });

  it("are made of the same bytes for the same random bytes", async () => {
    const again = async () => {
      let drawn = 0;
      const { jwe, content } = await seal(secret, [owner, clinic], {
        random: (length) => fromHex(secretOf(1, `draw ${drawn++}`).repeat(2).replaceAll("0x", "")).slice(0, length),
      });
      return writeSealed(jwe) + toHex(contentHash(content));
    };
    expect(await again()).to.equal(await again());
  });
});
