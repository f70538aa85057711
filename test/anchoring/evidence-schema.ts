import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect } from "chai";
import { attachState } from "../../toolkit/anchoring/attach.js";
import { evidenceJsonSchema, readEvidence, writeEvidence } from "../../toolkit/anchoring/evidence.js";
import { fromHex } from "../../toolkit/internal/bytes.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { activeLot, keyOf } from "../identity/fleet.js";
import { deployed } from "../support.js";
import { anchorReading } from "./bundles.js";

const word = fromHex(secretOf(7, "word"));
const key = keyOf("schema");

describe("The JSON Schema of evidence", () => {
  const published: object = JSON.parse(readFileSync("docs/evidence.schema.json", "utf8"));
  const accepts = new Ajv2020().compile(published);
  let bundles: string[];

  before(async () => {
    const world = await deployed();
    await activeLot(world, [key]);
    const plain = await anchorReading(world, key);
    const alone = await anchorReading(world, key, { alone: true });
    const { content: _, ...secret } = plain;
    const file = { size: 5n, chunkSize: 1024, root: word, cid: word };
    bundles = [
      plain,
      alone,
      secret,
      await attachState(plain, world.ethers.provider),
      { ...plain, content: { kind: "payload", hash: word, salt: word } as const },
      { ...plain, content: { kind: "sealed", ciphertext: word, plain: word, salt: word } as const },
      {
        ...plain,
        content: { kind: "file", file, salt: word } as const,
        segment: { first: 0, end: 1, siblings: [word] },
      },
    ].map((evidence) => {
      const json = writeEvidence(evidence);
      expect(readEvidence(json)).to.deep.equal(evidence);
      return json;
    });
  });

  it("is what the code makes", () => {
    expect(published).to.deep.equal(JSON.parse(JSON.stringify(evidenceJsonSchema())));
  });

  it("accepts a bundle of each kind", () => {
    for (const json of bundles) expect(accepts(JSON.parse(json)), JSON.stringify(accepts.errors)).to.equal(true);
  });

  it("refuses a bundle with a part missing, added, or of another type, of another version, or too long", () => {
    const optional = ["content", "segment", "batch", "state"];
    for (const json of bundles) {
      const bundle: Record<string, unknown> = JSON.parse(json);
      for (const name of Object.keys(bundle)) {
        const { [name]: _, ...rest } = bundle;
        expect(accepts(rest), `without ${name}`).to.equal(optional.includes(name));
        for (const value of [null, 7, true, "x", []]) {
          expect(accepts({ ...bundle, [name]: value }), `${name} = ${JSON.stringify(value)}`).to.equal(false);
        }
      }
      expect(accepts({ ...bundle, note: "hello" })).to.equal(false);
      expect(accepts({ ...bundle, format: "iotchain-evidence/1" })).to.equal(false);
      expect(
        accepts({ ...bundle, entry: { ...Object(bundle.entry), siblings: Array(65).fill(secretOf(1, "s")) } }),
      ).to.equal(false);
    }
  });
});
