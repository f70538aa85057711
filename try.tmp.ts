import { startEmbedded } from "./toolkit/testing/embedded.js";
import { Chain, accountOf } from "./toolkit/testing/chain.js";
import { deployFixture, secretOf, GAS_MONEY } from "./toolkit/testing/fixture.js";
import { DataAnchor__factory, ITC__factory, DeviceRegistry__factory } from "./toolkit/contracts.js";
let t = performance.now();
const lap = (s: string) => { console.log(s, Math.round(performance.now() - t)); t = performance.now(); };
const { provider, close } = await startEmbedded({ start: 1451606400n });
lap("start");
const chain = await Chain.connect(provider);
let gas = 0n; chain.onReceipt = (r, c) => { gas = r.gasUsed; if (!c.what.startsWith("append")) console.log(c.what, r.gasUsed); };
const { operator, addresses } = await deployFixture(chain);
lap("deploy"); console.log(addresses);
const dev = accountOf(secretOf(1, "dev")); await chain.fund(dev.address, GAS_MONEY, operator);
const I = DataAnchor__factory.createInterface();
let sum = 0n;
for (let i = 0; i < 1024; i++) { await chain.send(dev, { to: addresses.DataAnchor, data: I.encodeFunctionData("append", [dev.address, i, secretOf(i, "e")]), what: "append" }); sum += gas; }
lap("1024 appends"); console.log("mean append", sum / 1024n);
await chain.send(dev, { to: addresses.DataAnchor, data: I.encodeFunctionData("append", [dev.address, 5, secretOf(5, "e")]), what: "append again" }).catch((e) => console.log(e.message));
await close();
