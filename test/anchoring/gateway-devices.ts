import { expect } from "chai";
import { writeEvidence } from "../../toolkit/anchoring/evidence.js";
import type { Gateway } from "../../toolkit/anchoring/gateway.js";
import { checkReceipt } from "../../toolkit/anchoring/gateway-receipts.js";
import { type SignedReading, signReading } from "../../toolkit/anchoring/readings.js";
import { verifyEvidence } from "../../toolkit/anchoring/verify.js";
import { heldBy, signerOf } from "../../toolkit/identity/keys.js";
import { toHex } from "../../toolkit/internal/bytes.js";
import { activeLot, FAR, keyOf } from "../identity/fleet.js";
import { onRig, type Rig, rain, refused } from "./gateway-rig.js";

const a = keyOf("a");

describe("The devices of a gateway", () => {
  let rig: Rig;
  let gateway: Gateway;

  onRig(
    (one) => {
      rig = one;
    },
    async () => {
      gateway = await rig.open();
      gateway.admit(a);
    },
  );

  describe("asks the registry", () => {
    const unborn = keyOf("registered but never active");
    const first = keyOf("registered");
    const next = keyOf("registered next", "p256");
    const said = (key = first, sequence = 0n): SignedReading =>
      signReading(heldBy(first.id, key), rig.world.digests, { sequence, time: rig.now, schema: rain, content: rain });

    const rotate = async (): Promise<void> => {
      const { registry, digests, addresses } = rig.world;
      const signer = signerOf(next, addresses);
      const digest = digests.keyChange({ device: first.id, signer, nonce: 0n, deadline: FAR });
      const words = [first.sign(digest), next.sign(digest)].map(toHex);
      await registry.rotateKey(
        first.id,
        toHex(signerOf(first, addresses)),
        toHex(signer),
        FAR,
        words[0] ?? "",
        words[1] ?? "",
      );
    };

    before(() => rig.mined(() => activeLot(rig.world, [first], { unborn: [unborn] })));

    it("and serves who is active with its present key", async () => {
      await gateway.enrol(first);
      gateway.receive(said());
    });

    it("and turns away who is foreign to it", async () => {
      await refused(() => gateway.enrol(keyOf("foreign")), "ITC_GATEWAY_FOREIGN");
      await refused(() => gateway.enrol(unborn), "ITC_GATEWAY_FOREIGN");
      await refused(() => gateway.enrol(heldBy(first.id, keyOf("foreign"))), "ITC_GATEWAY_ROTATED");
      await refused(() => gateway.receive(said()), "ITC_GATEWAY_UNKNOWN");
    });

    it("and says when it can't be asked", async () => {
      rig.node.before = () => {
        throw new Error("down");
      };
      await refused(() => gateway.enrol(first), "ITC_GATEWAY_NODE");
      rig.node.heal();
      gateway = await rig.open({ registry: keyOf("nobody").id });
      await refused(() => gateway.enrol(first), "ITC_GATEWAY_NODE", "no registry");
    });

    it("and stops who has another key or is no longer active, a while later, until it is admitted anew", async () => {
      const restore = await rig.world.networkHelpers.takeSnapshot();
      gateway = await rig.open({ recheck: 100n });
      const stopped: string[] = [];
      gateway.events.on("stopped", ({ code }) => stopped.push(code));
      await gateway.enrol(first);
      gateway.receive(said());
      await rig.mined(rotate);
      await gateway.tick();
      gateway.receive(said(first, 1n));
      rig.now += 101n;
      await gateway.tick();
      await refused(() => gateway.receive(said(first, 2n)), "ITC_GATEWAY_ROTATED");
      expect(gateway.receive(said(first, 1n)).received).to.equal(rig.now - 101n);
      await refused(() => gateway.enrol(first), "ITC_GATEWAY_ROTATED");
      await gateway.enrol(heldBy(first.id, next));
      gateway.receive(said(next, 2n));
      await rig.mined(() => rig.world.registry.suspend(first.id));
      rig.now += 101n;
      await gateway.tick();
      await refused(() => gateway.receive(said(next, 3n)), "ITC_GATEWAY_INACTIVE");
      await refused(() => gateway.enrol(heldBy(first.id, next)), "ITC_GATEWAY_INACTIVE", "suspended");
      expect(stopped).to.deep.equal(["ITC_GATEWAY_ROTATED", "ITC_GATEWAY_INACTIVE"]);
      // What has a receipt is anchored all the same; verifiers judge the key by the entry's second.
      await rig.settle(gateway);
      expect(gateway.readingOf(first.id, 2n).state).to.equal("final");
      await restore.restore();
    });

    it("and has the proof that the registry takes against who contradicts itself", async () => {
      const restore = await rig.world.networkHelpers.takeSnapshot();
      await gateway.enrol(first);
      gateway.receive(said());
      const other = signReading(first, rig.world.digests, { ...said(), content: new Uint8Array(32) });
      await refused(() => gateway.receive(other), "ITC_GATEWAY_CONTRADICTION");
      const [{ key, readings } = { key: first, readings: [other, other] as const }] = gateway.contradictions();
      const both = <Value>(of: (one: SignedReading) => Value): [Value, Value] => [of(readings[0]), of(readings[1])];
      await rig.mined(() =>
        rig.world.registry.proveEquivocation(
          key.id,
          toHex(signerOf(key, rig.world.addresses)),
          readings[0].sequence,
          both(({ time }) => time),
          both(({ schema }) => toHex(schema)),
          both(({ content }) => toHex(content)),
          both(({ signature }) => toHex(signature)),
        ),
      );
      await refused(() => gateway.enrol(first), "ITC_GATEWAY_INACTIVE", "suspended");
      await restore.restore();
    });

    it("and its evidence holds for anyone", async () => {
      await gateway.enrol(first);
      for (let sequence = 0n; sequence < 5n; sequence++) gateway.receive(said(first, sequence));
      gateway.seal(2);
      await rig.settle(gateway);
      const receipt = gateway.receive(said(first, 0n));
      for (let sequence = 0n; sequence < 5n; sequence++) {
        const evidence = gateway.evidenceOf(first.id, sequence);
        const { holds, findings } = await verifyEvidence(writeEvidence(evidence), rig.world.ethers.provider);
        expect(holds, JSON.stringify(findings)).to.equal(true);
      }
      const domain = { chainId: rig.world.chainId, anchor: rig.world.addresses.DataAnchor };
      const kept = gateway.evidenceOf(first.id, 0n);
      expect(checkReceipt(receipt, domain, rig.now, kept)).to.equal("kept");
    });
  });
});
