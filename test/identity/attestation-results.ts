import { createHash } from "node:crypto";
import { expect } from "chai";
import type { Attestations } from "../../toolkit/contracts.js";
import { FleetTree, relianceOn, TRUST_TIERS } from "../../toolkit/identity/attestation.js";
import {
  type AttestationResult,
  earClaimsOf,
  MAX_TOKEN_BYTES,
  type PostedResult,
  parseEarClaims,
  readResult,
  resultDigestOf,
  ueidOf,
} from "../../toolkit/identity/attestation-results.js";
import { fromHex, keccak256 } from "../../toolkit/internal/bytes.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { deployed } from "../support.js";
import { keyOf } from "./fleet.js";

const { id: device } = keyOf("result");
const { id: other } = keyOf("another");
const measurement = fromHex(secretOf(1, "image"));
const fleet = new FleetTree([device, other]);

const result: AttestationResult = {
  subject: { device },
  tier: "affirming",
  measurement,
  issuedAt: 1_800_000_000n,
  expiry: 1_800_086_400n,
  verifier: { developer: "https://verifier.example", build: "appraiser 2.1" },
  attester: {
    oemid: 32473,
    hwmodel: Buffer.from("WS-3").toString("base64url"),
    hwversion: ["3.1"],
    swname: "wind-station",
    swversion: ["1.4.2", "semver"],
    dbgstat: "disabled-since-boot",
    measurements: [[258, "qGMx"]],
  },
  trustworthiness: { "instance-identity": 2, executables: 3, hardware: 2 },
  policies: ["tag:verifier.example,2026:policy#7"],
  nonce: "c2VsZWN0ZWQtYXQtcmFuZG9t",
};

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
/** A JWT, as far as its reader looks: the digest on the chain stands for its signature. */
const jwtOf = (claims: object): string => `${encode({ alg: "ES256" })}.${encode(claims)}.c2lnbmF0dXJl`;

const token = jwtOf(earClaimsOf(result));
const posted: PostedResult = {
  subject: { device },
  tier: "affirming",
  expiry: result.expiry,
  measurement,
  resultDigest: resultDigestOf(token),
};

const ATTESTER = "submods.device.ear_attester_claims";

/** The claims as JSON holds them, with another value at a path. */
function changed(path: string, value: unknown): object {
  const claims: object = JSON.parse(JSON.stringify(earClaimsOf(result)));
  const keys = path.split(".");
  const last = keys.pop() ?? "";
  const parent = keys.reduce((at: object, key) => Reflect.get(at, key), claims);
  if (value === undefined) Reflect.deleteProperty(parent, last);
  else Reflect.set(parent, last, value);
  return claims;
}

describe("Attestation results off chain", () => {
  describe("FleetTree", () => {
    it("refuses a device twice, none at all, and to prove a stranger", () => {
      expect(() => new FleetTree([device, other, device])).to.throw(RangeError, "is in the fleet twice");
      expect(() => new FleetTree([])).to.throw(RangeError);
      expect(() => new FleetTree([device]).prove(other)).to.throw(RangeError, "is not in the fleet");
    });
  });

  describe("earClaimsOf", () => {
    it("names its claims as EAR and EAT do", () => {
      expect(earClaimsOf(result)).to.deep.equal({
        eat_profile: "tag:ietf.org,2026:rats/ear#04",
        iat: 1_800_000_000,
        exp: 1_800_086_400,
        ear_verifier_id: { developer: "https://verifier.example", build: "appraiser 2.1" },
        eat_nonce: "c2VsZWN0ZWQtYXQtcmFuZG9t",
        submods: {
          device: {
            ear_status: "affirming",
            ear_trustworthiness_vector: { "instance-identity": 2, executables: 3, hardware: 2 },
            ear_appraisal_policy_ids: ["tag:verifier.example,2026:policy#7"],
            ear_attester_claims: { ...result.attester, ueid: ueidOf(device) },
            ear_verifier_claims: {
              measres: [["firmware", [[Buffer.from(measurement).toString("base64url"), "success"]]]],
            },
          },
        },
      });
      const { attester, trustworthiness, policies, nonce, measurement: matched, ...least } = result;
      expect(earClaimsOf({ ...least, subject: { root: fleet.root }, tier: "none" }).submods).to.deep.equal({
        device: {
          ear_status: "none",
          ear_attester_claims: {},
          ear_verifier_claims: { iotchain_fleet_root: fleet.root },
        },
      });
    });

    it("gives a device a UEID of type RAND", () => {
      const bytes = new Uint8Array(Buffer.from(ueidOf(device), "base64url"));
      expect([bytes.length, bytes[0]]).to.deep.equal([33, 1]);
      expect(bytes.subarray(1)).to.deep.equal(keccak256(fromHex(device)));
      expect(ueidOf(other)).not.to.equal(ueidOf(device));
    });

    it("refuses a status that promises more than the vector, and times that JSON can't hold", () => {
      const build = (change: Partial<AttestationResult>) => () => earClaimsOf({ ...result, ...change });
      const edges: [number, keyof typeof TRUST_TIERS][] = [
        [-128, "contraindicated"],
        [-97, "contraindicated"],
        [-96, "warning"],
        [-33, "warning"],
        [-32, "affirming"],
        [-2, "affirming"],
        [-1, "affirming"],
        [1, "affirming"],
        [31, "affirming"],
        [32, "warning"],
        [95, "warning"],
        [96, "contraindicated"],
        [127, "contraindicated"],
      ];
      for (const [value, best] of edges) {
        const trustworthiness = { hardware: 2, configuration: value };
        for (const tier of ["affirming", "warning", "contraindicated"] as const) {
          const call = build({ trustworthiness, tier });
          if (TRUST_TIERS[tier] >= TRUST_TIERS[best]) expect(call).not.to.throw();
          else expect(call).to.throw("ITC_ATTESTATION_CLAIMS");
        }
        expect(build({ trustworthiness, tier: "none" })).not.to.throw();
      }
      for (const value of [-129, 128, 1.5]) {
        expect(build({ trustworthiness: { hardware: value }, tier: "none" })).to.throw("ITC_ATTESTATION_CLAIMS");
      }
      expect(build({ expiry: 2n ** 64n })).to.throw("ITC_ATTESTATION_CLAIMS");
    });
  });

  describe("parseEarClaims", () => {
    it("reads what it has built, and drops claims that it doesn't know", () => {
      const claims = earClaimsOf(result);
      expect(parseEarClaims(JSON.parse(JSON.stringify(claims)))).to.deep.equal(claims);
      for (const path of ["jti", "submods.device.ear_veraison_key", `${ATTESTER}.uptime`]) {
        expect(parseEarClaims(changed(path, 7))).to.deep.equal(claims);
      }
      const { device: appraisal } = claims.submods;
      expect(parseEarClaims({ ...claims, submods: { PSA: appraisal } }).submods).to.deep.equal({ PSA: appraisal });
    });

    // What the message names, where it is, and what stands there instead; undefined: nothing.
    const bad: readonly [string, string, unknown][] = [
      ["eat_profile", "eat_profile", "tag:github.com,2023:veraison/ear"],
      ["iat", "iat", 1.5],
      ["exp", "exp", undefined],
      ["exp", "exp", -1],
      ["ear_verifier_id", "ear_verifier_id.build", undefined],
      ["eat_nonce", "eat_nonce", "short"],
      ["submods", "submods", {}],
      ["submods", "submods.second", earClaimsOf(result).submods.device],
      ["submods", "submods", { gpu: ["JWT", "e30.e30.e30"] }],
      ["ear_status", "submods.device.ear_status", "good"],
      ["ear_status", "submods.device.ear_status", undefined],
      ["ueid", `${ATTESTER}.ueid`, "AQID"],
      ["ueid", `${ATTESTER}.ueid`, "A".repeat(46)],
      ["ueid", `${ATTESTER}.ueid`, `${ueidOf(device)}=`],
      ["oemid", `${ATTESTER}.oemid`, "AQIDBA"],
      ["hwmodel", `${ATTESTER}.hwmodel`, "A".repeat(44)],
      ["hwmodel needs oemid", `${ATTESTER}.oemid`, undefined],
      ["hwversion needs hwmodel", `${ATTESTER}.hwmodel`, undefined],
      ["swversion needs swname", `${ATTESTER}.swname`, undefined],
      ["swversion", `${ATTESTER}.swversion`, "1.4.2"],
      ["dbgstat", `${ATTESTER}.dbgstat`, 1],
      ["measurements", `${ATTESTER}.measurements`, []],
      ["measurements", `${ATTESTER}.measurements.0.0`, 65536],
      ["measres", "submods.device.ear_verifier_claims.measres.0.1.0.1", "fine"],
      ["iotchain_fleet_root", "submods.device.ear_verifier_claims.iotchain_fleet_root", "0x00"],
    ];
    it("refuses claims that EAR or EAT don't allow, by name", () => {
      for (const [name, path, value] of bad) {
        expect(() => parseEarClaims(changed(path, value)), path)
          .to.throw(name)
          .with.property("code", "ITC_ATTESTATION_CLAIMS");
      }
      for (const nothing of [undefined, null, 7, "{}", []]) {
        expect(() => parseEarClaims(nothing)).to.throw("ITC_ATTESTATION_CLAIMS");
      }
    });
  });

  describe("resultDigestOf", () => {
    it("is SHA-256 of the token's bytes", () => {
      const expected = new Uint8Array(createHash("sha256").update(token).digest());
      expect(resultDigestOf(token)).to.deep.equal(expected);
      expect(resultDigestOf(new Uint8Array(Buffer.from(token)))).to.deep.equal(expected);
    });
  });

  describe("readResult", () => {
    const read = (claims: object, change: Partial<PostedResult> = {}) => {
      const said = jwtOf(claims);
      return () => readResult(said, { ...posted, resultDigest: resultDigestOf(said), ...change });
    };

    it("reads the token behind a result on the chain, of a device and of a fleet", () => {
      expect(readResult(token, posted)).to.deep.equal(earClaimsOf(result));
      const ofFleet = earClaimsOf({ ...result, subject: { root: fleet.root } });
      expect(read(ofFleet, { subject: { root: fleet.root } })()).to.deep.equal(ofFleet);
      const { measurement: _, ...unmatched } = { ...result, tier: "contraindicated" as const };
      const { measurement: __, ...chain } = { ...posted, tier: "contraindicated" as const };
      const condemned = jwtOf(earClaimsOf(unmatched));
      expect(readResult(condemned, { ...chain, resultDigest: resultDigestOf(condemned) })).to.deep.equal(
        earClaimsOf(unmatched),
      );
    });

    it("refuses another token, and one beyond all size", () => {
      const forged = jwtOf({ ...earClaimsOf(result), iat: 1 });
      const huge = jwtOf({ ...earClaimsOf(result), padding: "x".repeat(MAX_TOKEN_BYTES) });
      expect(() => readResult(forged, posted)).to.throw("ITC_ATTESTATION_DIGEST");
      expect(() => readResult(huge, { ...posted, resultDigest: resultDigestOf(huge) })).to.throw(
        "ITC_ATTESTATION_DIGEST",
      );
    });

    it("refuses what is no JWT", () => {
      for (const text of ["", "x", "a.b", "a.b.c.d", "a.b.c", JSON.stringify(earClaimsOf(result))]) {
        expect(() => readResult(text, { ...posted, resultDigest: resultDigestOf(text) })).to.throw(
          "ITC_ATTESTATION_TOKEN",
        );
      }
    });

    it("names the claim in which token and chain differ", () => {
      const claims = earClaimsOf(result);
      const cases: [string, Partial<PostedResult>][] = [
        ["ear_status", { tier: "warning" }],
        ["exp", { expiry: posted.expiry + 1n }],
        ["ueid", { subject: { device: other } }],
        ["iotchain_fleet_root", { subject: { root: fleet.root } }],
        ["measres", { measurement: fromHex(secretOf(1, "other image")) }],
      ];
      for (const [claim, change] of cases) {
        expect(read(claims, change)).to.throw(`ITC_ATTESTATION_MISMATCH: The token and the chain differ in ${claim}.`);
      }
      const { measurement: _, ...none } = posted;
      const said = { ...none, resultDigest: resultDigestOf(token) };
      expect(() => readResult(token, said)).to.throw("differ in measres");
    });
  });

  describe("relianceOn", () => {
    it("refuses an obstacle that it doesn't know", async () => {
      const { attestations } = await deployed();
      const newer = { relianceOn: async () => ({ relied: false, obstacle: 14n }) } as unknown as Attestations;
      const failure = await relianceOn(newer, { device }).catch((error: Error) => error);
      expect(failure).to.have.property("code", "ITC_ATTESTATION_OBSTACLE");
      expect(await relianceOn(attestations, { device })).to.deep.equal({
        relied: false,
        obstacle: "deviceUnknown",
        words: "no: never activated",
      });
    });
  });
});
