import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { unansweredEnds, unansweredIn } from "./tcp-silence.ts";

/** As Linux 6.18 wrote them. */
const TCP6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:05A3 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000000000000000 100 0 0 10 0
   1: 0000000000000000FFFF00000100640A:05A3 0000000000000000FFFF00000300640A:D431 01 000000A2:00000000 01:00000A2C 00000007     0        0 4712 3 0000000000000000 2580 4 30 10 -1
   2: 0000000000000000FFFF00000100640A:05A3 0000000000000000FFFF00000400640A:D432 01 00000000:00000000 02:00000A2C 00000000     0        0 4713 2 0000000000000000 20 4 30 10 -1
   3: 0000000000000000FFFF00000100640A:05A3 0000000000000000FFFF00000400640A:D433 01 00050000:00000000 04:00000A2C 00000009     0        0 4714 2 0000000000000000 20 4 30 10 -1
   4: 0000000000000000FFFF00000100640A:1A7F 0000000000000000FFFF00000400640A:D434 01 00000080:00000000 01:00000A2C 00000009     0        0 4715 2 0000000000000000 20 4 30 10 -1
   5: B80D0120000000000000000001000000:05A3 B80D0120000000000000000002000000:D435 08 00000080:00000000 01:00000A2C 0000000A     0        0 4716 2 0000000000000000 20 4 30 10 -1
`;
const TCP = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:05A3 0200007F:0016 01 00000001:00000000 01:00000014 00000001     0        0 5 1 0 20 4 30 10 -1
`;

test("those that are sent again are found by our port, not who is idle, slow to read, or on another port", () => {
  assert.deepEqual(unansweredIn(TCP6, 1443), [
    { ip: "10.100.0.3", port: 0xd431, tries: 7 },
    { ip: "2001:db8::2", port: 0xd435, tries: 10 },
  ]);
  assert.deepEqual(unansweredIn(TCP, 1443), [{ ip: "127.0.0.2", port: 22, tries: 1 }]);
});

test("no text makes it throw", () => {
  fc.assert(
    fc.property(fc.string(), fc.nat(65_535), (text, port) => {
      assert.deepEqual(unansweredIn(text, port), []);
    }),
  );
});

test("this host's tables can be read", async () => {
  assert.ok(Array.isArray(await unansweredEnds(1)));
});
