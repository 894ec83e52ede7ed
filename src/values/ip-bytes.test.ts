import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytesToIp, ipToBytes } from "./ip-bytes.ts";

test("literals have the bytes that the wire wants, and one spelling", () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ["10.0.0.1", "0a000001", "10.0.0.1"],
    ["::", "00000000000000000000000000000000", "::"],
    ["::1", "00000000000000000000000000000001", "::1"],
    ["FD00:0:0::1", "fd000000000000000000000000000001", "fd00::1"],
    ["1:0:2:3:4:5:6:7", "00010000000200030004000500060007", "1:0:2:3:4:5:6:7"],
    ["1:0:0:2:0:0:0:3", "00010000000000020000000000000003", "1:0:0:2::3"],
    ["fe80::1%eth0", "fe800000000000000000000000000001", "fe80::1"],
    ["::ffff:10.0.0.1", "0a000001", "10.0.0.1"],
    ["64:ff9b::10.0.0.1", "0064ff9b00000000000000000a000001", "64:ff9b::a00:1"],
  ];
  for (const [text, hex, canonical] of cases) {
    const bytes = ipToBytes(text);
    assert.equal(Buffer.from(bytes ?? []).toString("hex"), hex, text);
    assert.equal(bytesToIp(bytes ?? new Uint8Array(0)), canonical, text);
  }
  assert.equal(bytesToIp(Buffer.from("00000000000000000000ffff0a000001", "hex")), "10.0.0.1");
});

test("what is no literal has no bytes, and no address has another length than 4 or 16", () => {
  for (const text of [
    "",
    "host",
    "1.2.3",
    "1.2.3.256",
    "::1::",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
  ])
    assert.equal(ipToBytes(text), undefined, text);
  for (const size of [0, 1, 3, 5, 15, 17]) assert.equal(bytesToIp(new Uint8Array(size)), undefined);
});

test("each address survives the way through its text", () => {
  const raw = fc.uint8Array({ minLength: 16, maxLength: 16 });
  const sparse = raw.map((bytes) => bytes.map((byte) => (byte < 160 ? 0 : byte)));
  fc.assert(
    fc.property(fc.oneof(raw, sparse), (bytes) => {
      const text = bytesToIp(bytes) ?? "";
      assert.equal(bytesToIp(ipToBytes(text) ?? new Uint8Array(0)), text);
      if (!text.includes(".")) assert.deepEqual(ipToBytes(text), bytes);
    }),
  );
});
