import { spawn } from "node:child_process";
import { copyFileSync, existsSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { expect } from "chai";
import { openingOf } from "../../toolkit/anchoring/committed-batch.js";
import type { Gateway } from "../../toolkit/anchoring/gateway.js";
import { saltOf } from "../../toolkit/anchoring/readings.js";
import type { DeviceKey } from "../../toolkit/identity/keys.js";
import { fromHex } from "../../toolkit/internal/bytes.js";
import { keyOf } from "../identity/fleet.js";
import { Rig, refused } from "./gateway-rig.js";

const a = keyOf("a");

describe("A gateway's queue file", () => {
  let rig: Rig;
  let file: string;
  let publisher: DeviceKey;
  const open = (changes = {}): Promise<Gateway> => rig.open({ file, publisher, ...changes });
  /** Changes the file behind the gateway's back. */
  const change = (sql: string): void => {
    const store = new DatabaseSync(file);
    store.exec(sql);
    store.close();
  };
  const filled = async (count = 50): Promise<void> => {
    const gateway = await open();
    gateway.admit(a);
    for (let k = 0; k < count; k++) gateway.receive(rig.reading("a", BigInt(k)));
    await gateway.close();
  };

  before(async () => {
    rig = await Rig.start();
  });
  after(() => rig.end());
  beforeEach(async () => {
    file = rig.file();
    publisher = await rig.publisher();
  });
  afterEach(() => rig.closeAll());

  it("holds all that was received, batched and sent, when it is opened again", async () => {
    let gateway = await open({ batch: { readings: 2 } });
    gateway.admit(a);
    const again = async (): Promise<void> => {
      await gateway.close();
      gateway = await open({ batch: { readings: 2 } });
    };
    const receipt = gateway.receive(rig.reading("a", 0n), new Uint8Array([7]));
    await again();
    expect(gateway.receive(rig.reading("a", 0n))).to.deep.equal(receipt);
    expect(gateway.readingOf(a.id, 0n).payload).to.deep.equal(new Uint8Array([7]));
    gateway.receive(rig.reading("a", 1n));
    await gateway.tick();
    await again();
    expect(gateway.status().batches.sealed).to.equal(1n);
    await gateway.tick();
    await rig.mine();
    await again();
    await gateway.tick();
    expect(gateway.readingOf(a.id, 1n).state).to.equal("anchored");
    await again();
    await rig.settle(gateway);
    await again();
    expect(gateway.evidenceOf(a.id, 1n).entry.index).to.equal(0n);
    expect(await rig.sizeOf(publisher)).to.equal(1n);
  });

  it("is one gateway's alone", async () => {
    const gateway = await open();
    await refused(() => open(), "ITC_GATEWAY_LOCKED");
    await gateway.close();
    await open();
  });

  it("is not held by a process that was killed", async () => {
    await filled(3);
    const script = `const { DatabaseSync } = require("node:sqlite");
      const store = new DatabaseSync(process.argv[1]);
      store.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; BEGIN IMMEDIATE; UPDATE device SET next = '9'");
      console.log("held"); setInterval(() => {}, 1000);`;
    const holder = spawn(process.execPath, ["--no-warnings", "-e", script, file], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    await new Promise((resolve) => holder.stdout.once("data", resolve));
    await refused(() => open(), "ITC_GATEWAY_LOCKED");
    const dead = new Promise((resolve) => holder.once("exit", resolve));
    holder.kill("SIGKILL");
    await dead;
    expect((await open()).nextOf(a.id)).to.equal(3n);
  });

  it("belongs to one publisher, chain, registry and log", async () => {
    await filled(1);
    const others = [
      { publisher: keyOf("other") },
      { chainId: 1n },
      { anchor: keyOf("other").id },
      { registry: keyOf("other").id },
    ];
    for (const other of others) await refused(() => open(other), "ITC_GATEWAY_OTHER_OWNER");
    await open();
  });

  it("is refused when it is another program's database, or of another version", async () => {
    change("CREATE TABLE notes (text TEXT)");
    await refused(() => open(), "ITC_GATEWAY_FOREIGN_FILE");
    rmSync(file);
    await filled(1);
    change("PRAGMA user_version = 3");
    await refused(() => open(), "ITC_GATEWAY_VERSION", "version 3");
  });

  it("of version 1 is brought to version 2, with all that it holds", async () => {
    await filled(2);
    const undo =
      "DROP INDEX uncommitted; DROP TABLE committed; ALTER TABLE reading DROP COLUMN own; PRAGMA user_version = 1";
    change(undo);
    let gateway = await open();
    expect([gateway.nextOf(a.id), gateway.status().waiting]).to.deep.equal([2n, 2n]);
    await gateway.close();
    gateway = await open({
      commit: { secret: new Uint8Array(32), relayer: keyOf("relayer"), verifiers: rig.world.addresses },
    });
    expect(await gateway.committing?.draftOf(a.id)).to.equal(undefined);
    // What the device says again with its opening can be committed to.
    gateway.receive(rig.reading("a", 0n), openingOf({ value: 0n, salt: saltOf(fromHex("01"), 0n) }));
    expect((await gateway.committing?.draftOf(a.id))?.count).to.equal(1n);
    await rig.settle(gateway);
    expect(gateway.evidenceOf(a.id, 1n).batch.count).to.equal(2n);
  });

  it("is refused wherever it was cut, and never taken for a fresh one", async () => {
    await filled();
    const whole = readFileSync(file);
    expect(existsSync(`${file}-wal`)).to.equal(false);
    for (const size of [
      0,
      1,
      50,
      99,
      100,
      4095,
      4096,
      8192,
      whole.length >> 1,
      whole.length - 4096,
      whole.length - 1,
    ]) {
      writeFileSync(file, whole);
      truncateSync(file, size);
      await refused(() => open(), "ITC_GATEWAY_CORRUPT");
      expect(statSync(file).size, "left as it is").to.equal(size);
    }
    writeFileSync(file, whole);
    expect((await open()).nextOf(a.id)).to.equal(50n);
  });

  it("is refused when it is garbage, or garbage has got into it", async () => {
    writeFileSync(file, "no queue ".repeat(1000));
    await refused(() => open(), "ITC_GATEWAY_CORRUPT");
    rmSync(file);
    await filled(200);
    const spoilt = readFileSync(file);
    for (let page = 1; page < spoilt.length / 4096; page++) spoilt.fill(0xa5, page * 4096, page * 4096 + 64);
    writeFileSync(file, spoilt);
    await refused(() => open(), "ITC_GATEWAY_CORRUPT");
  });

  it("is refused when it is gone and its write-ahead log is left", async () => {
    await filled(1);
    writeFileSync(`${file}-wal`, "");
    rmSync(file);
    await refused(() => open(), "ITC_GATEWAY_CORRUPT", "-wal");
  });

  it("is begun anew after a crash while it was begun", async () => {
    writeFileSync(`${file}.new`, "");
    await filled(1);
    expect(existsSync(`${file}.new`)).to.equal(false);
    rmSync(file);
    // The file was made, but not yet named.
    await filled(0);
    copyFileSync(file, `${file}.new`);
    rmSync(file);
    await filled(1);
    expect((await open()).nextOf(a.id)).to.equal(1n);
  });

  it("gives away no reading and no batch that a disk has changed", async () => {
    await filled(2);
    change("UPDATE reading SET time = time + 1 WHERE sequence = 1");
    let gateway = await open();
    await refused(() => gateway.seal(), "ITC_GATEWAY_CORRUPT", "Reading 1");
    await gateway.close();
    change("UPDATE reading SET time = time - 1 WHERE sequence = 1");
    gateway = await open();
    await rig.settle(gateway);
    await gateway.close();
    change("UPDATE reading SET place = 1 - place + 2; UPDATE reading SET place = place - 2");
    gateway = await open();
    await refused(() => gateway.evidenceOf(a.id, 0n), "ITC_GATEWAY_CORRUPT", "batch 0");
  });

  it("names a disk that can't be written or read", async () => {
    file = "/nonexistent/queue.db";
    await refused(() => open(), "ITC_GATEWAY_DISK");
    file = rig.folder;
    await refused(() => open(), "ITC_GATEWAY_DISK");
  });

  it("keeps nothing of a reading that the disk had no room for, and goes on when there is room", async () => {
    const gateway = await open();
    gateway.admit(a);
    const store = Reflect.get(Reflect.get(gateway, "queue"), "store") as DatabaseSync;
    const pages = Number(store.prepare("PRAGMA page_count").get()?.page_count);
    store.exec(`PRAGMA max_page_count = ${pages + 3}`);
    let sequence = 0n;
    await refused(
      () => {
        for (; sequence < 1000n; sequence++) gateway.receive(rig.reading("a", sequence), new Uint8Array(500));
      },
      "ITC_GATEWAY_DISK",
      "full",
    );
    expect(sequence > 0n).to.equal(true);
    expect([gateway.nextOf(a.id), gateway.status().waiting]).to.deep.equal([sequence, sequence]);
    store.exec("PRAGMA max_page_count = 100000");
    gateway.receive(rig.reading("a", sequence), new Uint8Array(500));
    await rig.settle(gateway);
  });
});
