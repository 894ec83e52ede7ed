import assert from "node:assert/strict";
import { test } from "node:test";
import { damageIn } from "./etcd-damage.ts";

const fatal = (error: string): string =>
  `{"level":"warn","msg":"simple token is not cryptographically signed"}\n{"level":"fatal","ts":"2026-11-21T19:54:55.882Z","caller":"etcdmain/etcd.go:271","msg":"discovery failed","error":"${error}","stacktrace":"go.etcd.io/etcd"}\n`;

test("what etcd 3.4 said of logs and databases that were overwritten is damage, in its own words", () => {
  assert.equal(damageIn(fatal("proto: illegal wireType 7")), "proto: illegal wireType 7");
  assert.equal(
    damageIn(fatal("wal: max entry size limit exceeded")),
    "wal: max entry size limit exceeded",
  );
  const panic = "panic: freepages: failed to get all reachable pages\n\ngoroutine 9 [running]:\n";
  assert.equal(damageIn(panic), "panic: freepages: failed to get all reachable pages");
});

test("a full disk, a port that is taken, an address that is not there are none, nor is a quiet log", () => {
  for (const words of [
    "listen tcp 10.32.0.1:9212: bind: cannot assign requested address",
    "listen tcp 127.0.0.1:2379: bind: address already in use",
    "write /var/lib/hansa/store/data/member/wal/0.tmp: no space left on device",
    "open /var/lib/hansa/store/data/member/snap/db: read-only file system",
  ]) {
    assert.equal(damageIn(fatal(words)), undefined, words);
  }
  assert.equal(damageIn("fatal error: runtime: out of memory\n\ngoroutine 1:\n"), undefined);
  assert.equal(damageIn('{"level":"warn","msg":"peer became inactive"}\n'), undefined);
  assert.equal(damageIn(""), undefined);
});
