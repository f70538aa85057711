import { developmentKey } from "../scripts/zk-circuits.js";
import { proveSum } from "../toolkit/analytics/zk-prove.js";
import { commitValues } from "../toolkit/anchoring/zk-values.js";
import { Groth16Verifier__factory } from "../toolkit/contracts.js";
import { deviceKey } from "../toolkit/identity/keys.js";
import { fromHex } from "../toolkit/internal/bytes.js";
import { secretOf } from "../toolkit/testing/fixture.js";
import type { Bench, Measured } from "./rig.js";

/** Verifies a proof of the sum of 64 readings, as a transaction by itself. */
export async function measureZk(bench: Bench): Promise<Measured[]> {
  const { abi, bytecode } = Groth16Verifier__factory;
  const verifier = await bench.deploy([...abi], bytecode, []);
  const company = await bench.account("asks for a sum");
  const { id: device } = deviceKey("secp256k1", fromHex(secretOf(1, "device of a proof")));
  const committed = {
    device,
    firstSequence: 4096n,
    values: Array.from({ length: 64 }, (_, k) => BigInt(2100 + ((k * 37) % 101))),
    salt: fromHex(secretOf(1, "salt of a proof")).slice(0, 31),
  };
  const query = { request: fromHex(secretOf(1, "request of a proof")), lower: -4000n, upper: 8500n };
  const { sum, proof } = await proveSum(committed, query, await developmentKey("sum-64"));
  const batch = { values: commitValues(committed), device, firstSequence: committed.firstSequence, count: 64 };
  const args = [batch, query.lower, query.upper, query.request, sum, proof] as const;
  if (!(await Groth16Verifier__factory.connect(verifier, bench.chain.reader).verifySum(...args))) {
    throw new Error("The proof doesn't hold.");
  }
  return [{ id: "analytics.verifyZk", gas: await bench.send(company, verifier, [...abi], "verifySum", args) }];
}
