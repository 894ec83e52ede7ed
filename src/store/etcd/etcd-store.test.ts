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
