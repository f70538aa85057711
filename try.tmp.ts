import { startEmbedded } from "./toolkit/testing/embedded.js";
import { replay } from "./toolkit/testing/replay.js";
import { loadScenario } from "./toolkit/testing/scenario.js";

const s = await loadScenario("scenarios/city-sensors.yaml");
const t0 = performance.now();
const e = await startEmbedded({ start: s.clock.start });
let t = performance.now();
const r = await replay(s, e.provider, {
  file: "scenarios/city-sensors.yaml",
  listener: {
    step: (n) => {
      t = performance.now();
      process.stdout.write(n + " … ");
    },
    tick() {},
    done: (n) => console.log(n, Math.round(performance.now() - t)),
    fail: (m) => console.log("FAIL", m),
  },
});
console.log(
  JSON.stringify(
    { ...r, data: undefined, analyses: r.analyses.map((a) => ({ ...a, payments: a.payments.slice(0, 2) })) },
    null,
    1,
  ).slice(0, 9000),
);
console.log(Math.round(performance.now() - t0));
await e.close();
