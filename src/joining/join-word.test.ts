import assert from "node:assert/strict";
import { test } from "node:test";
import { exampleJoinInfo } from "../api/fake-cluster.ts";
import { decodeJoinDocument, decodeJoinWord, encodeJoinWord, joinDocument } from "./join-word.ts";

test("a word tells where the node that made it is reached, and by which certificate", () => {
  const info = exampleJoinInfo();
  const word = encodeJoinWord(joinDocument(info));
  assert.deepEqual(decodeJoinWord(word), {
    peer: { host: "192.168.15.92", port: 1443 },
    fingerprint: info.fingerprint,
  });
  const moved = info.nodes.map((node) => ({
    ...{ ...node, address: "2001:db8::2", ports: { ...node.ports, api: 2443 } },
  }));
  const elsewhere = encodeJoinWord(joinDocument({ ...info, nodes: moved }));
  assert.deepEqual(decodeJoinWord(elsewhere)?.peer, { host: "2001:db8::2", port: 2443 });
});

test("what is no word is none: no JSON, no address, another port, a fingerprint cut short", () => {
  const whole = joinDocument(exampleJoinInfo());
  const wrong: readonly object[] = [
    { ...whole, ipAddress: "a/b" },
    { ...whole, ipAddress: "192.0.2.1:99" },
    { ...whole, ipAddress: 7 },
    { ...whole, port: 0 },
    { ...whole, port: "1443" },
    { ...whole, fingerprint: "AB:CD" },
    {},
  ];
  for (const each of wrong) assert.equal(decodeJoinWord(encodeJoinWord(each)), undefined);
  for (const text of ["host1", "e30=", "bnVsbA==", "", "A".repeat(70_000), "nonsense!"]) {
    assert.equal(decodeJoinDocument(text), undefined);
  }
});
