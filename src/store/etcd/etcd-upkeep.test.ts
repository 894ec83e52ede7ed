import assert from "node:assert/strict";
import { test } from "node:test";
import { isHansaError } from "../../errors.ts";
import { EtcdStore } from "./etcd-store.ts";
import { EtcdUpkeep } from "./etcd-upkeep.ts";
import { runEtcd } from "./running-etcd.ts";

test("a full store refuses writes, and takes them again once it was compacted, defragmented and disarmed", async () => {
  const etcd = await runEtcd(new Uint8Array(32).fill(9), { quotaBytes: 8 * 1024 * 1024 });
  const channel = await etcd.connect();
  const [store, upkeep] = [new EtcdStore(channel), new EtcdUpkeep(channel)];
  const put = (key: string, length: number) =>
    store.commit({
      conditions: [],
      writes: [{ type: "put", key, value: new Uint8Array(length).fill(7) }],
    });
  try {
    assert.deepEqual(await upkeep.full(), []);
    await assert.rejects(
      async () => {
        for (let count = 0; count < 64; count++) await put("large", 512 * 1024);
      },
      (error) => isHansaError(error, "STORE_FULL"),
    );
    const before = await store.status();
    const { member, revision } = before;
    assert.deepEqual(await upkeep.full(), [member]);
    await store.compact(revision);
    await upkeep.defragment();
    const after = await store.status();
    assert.ok(after.bytes < before.bytes / 2n, `${before.bytes} -> ${after.bytes}`);
    await assert.rejects(put("small", 1), (error) => isHansaError(error, "STORE_FULL"));
    await upkeep.disarm(member);
    assert.deepEqual(await upkeep.full(), []);
    await put("small", 1);
  } finally {
    store.close();
    await etcd.stop();
  }
});
