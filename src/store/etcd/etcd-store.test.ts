import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fairNow } from "../../../test/fair-time.ts";
import { isHansaError } from "../../errors.ts";
import { createAuthority } from "../../identity/authority.ts";
import { storeSuite } from "../store-suite.ts";
import { storeTls } from "../store-tls.ts";
import { openEtcd } from "./etcd-channel.ts";
import { EtcdStore } from "./etcd-store.ts";
import { type RunningEtcd, runEtcd } from "./running-etcd.ts";

const root = new Uint8Array(32).fill(7);
let etcd: RunningEtcd;
let store: EtcdStore;

before(async () => {
  etcd = await runEtcd(root);
  store = new EtcdStore(await etcd.connect());
});
after(async () => {
  store?.close();
  await etcd?.stop();
});

storeSuite("etcd", () => ({ store, compact: (revision) => store.compact(revision) }));

test("in a later generation revisions go on from where no former one came, and those of former ones match nothing", async () => {
  const base = 10n ** 12n;
  const later = new EtcdStore(await etcd.connect(), base);
  const key = "later/a";
  const value = new Uint8Array([1]);
  const first = await store.commit({ conditions: [], writes: [{ type: "put", key, value }] });
  assert.ok(first.ok);
  const found = await later.get(key);
  assert.equal(found.entry?.revision, base + first.revision);
  assert.equal(found.entry?.created, base + first.revision);
  const put = (revision: bigint) =>
    later.commit({ conditions: [{ key, revision }], writes: [{ type: "put", key, value }] });
  assert.equal((await put(first.revision)).ok, false);
  assert.equal((await put(0n)).ok, false);
  const second = await put(base + first.revision);
  assert.ok(second.ok && second.revision === base + first.revision + 1n);
  const ending = AbortSignal.timeout(120_000);
  const events = [];
  for await (const event of later.watch("later/", second.revision, ending)) {
    events.push(event);
    break;
  }
  assert.deepEqual(events[0], {
    ...{ type: "changes", revision: second.revision },
    changes: [
      { type: "put", entry: { key, value, revision: second.revision, created: found.revision } },
    ],
  });
  for await (const event of later.watch("later/", first.revision, ending)) {
    assert.deepEqual(event, { type: "compacted", oldest: base + 1n });
  }
  await assert.rejects(later.get(key, { at: first.revision }), (error) =>
    isHansaError(error, "STORE_COMPACTED"),
  );
  later.close();
});

test("a certificate that the cluster made for its API opens neither of etcd's ports", async () => {
  const authority = await createAuthority(root, "hansa");
  const { ca } = etcd.place.tls;
  for (const role of ["viewer", "node"] as const) {
    const leaf = await authority.mint({
      ...{ name: "eve", names: [], addresses: ["127.0.0.1"], role },
    });
    for (const port of [etcd.place.port, etcd.peer.port]) {
      const tls = { key: leaf.privateKey, cert: leaf.certificate, ca };
      const intruder = new EtcdStore(await openEtcd({ host: "127.0.0.1", port, tls }));
      await assert.rejects(intruder.status(), (error) => isHansaError(error, "STORE_UNREACHABLE"));
      intruder.close();
    }
  }
});

test("another cluster's certificate does not open it, and it is not taken for another's", async () => {
  const other = await storeTls([new Uint8Array(32).fill(8)], []);
  const { ca } = etcd.place.tls;
  for (const tls of [
    { ...other, ca },
    { ...etcd.place.tls, ca: other.ca },
  ]) {
    const stranger = new EtcdStore(await openEtcd({ ...etcd.place, tls }));
    await assert.rejects(stranger.status(), (error) => isHansaError(error, "STORE_UNREACHABLE"));
    stranger.close();
  }
});

test("an etcd that hangs costs a caller its deadline and no more", async () => {
  await store.get("p");
  etcd.process.kill("SIGSTOP");
  try {
    const began = fairNow();
    await assert.rejects(store.get("p"), (error) => isHansaError(error, "STORE_NO_QUORUM"));
    assert.ok(fairNow() - began < 2000);
  } finally {
    etcd.process.kill("SIGCONT");
  }
  await store.get("p");
});

test("where nobody serves, the store is said to be out of reach", async () => {
  const nobody = new EtcdStore(await openEtcd({ ...etcd.place, port: 1 }));
  await assert.rejects(nobody.status(), (error) => isHansaError(error, "STORE_UNREACHABLE"));
  nobody.close();
});
