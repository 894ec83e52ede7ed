import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeStrays, encodeStrays, STRAYS_IN_A_NOTE, StrayBoard, straysOf } from "./strays.ts";

const NOTE = [{ address: 7, container: "web" }];

test("a stray is kept while its holder repeats it, and as long as the holder is silent", () => {
  const board = new StrayBoard();
  assert.equal(board.take("1-000000aa", NOTE, 0), true);
  assert.equal(board.take("1-000000aa", NOTE, 20_000), false);
  assert.equal(
    board.expire(50_000, () => "heard"),
    false,
  );
  assert.equal(
    board.expire(500_000, () => "silent"),
    false,
  );
  assert.deepEqual(board.ranges(), [{ start: 7, end: 8 }]);
  assert.equal(
    board.expire(55_000, () => "heard"),
    true,
  );
  assert.deepEqual(board.list(), []);
});

test("a stray that ended is forgotten when its holder says so", () => {
  const board = new StrayBoard();
  board.take("1-000000aa", NOTE, 0);
  assert.equal(board.take("1-000000aa", [{ address: 7, container: "" }], 1), true);
  assert.deepEqual(board.list(), []);
});

test("the strays of a node that is gone for good are forgotten at once", () => {
  const board = new StrayBoard();
  board.take("1-000000aa", NOTE, 0);
  assert.equal(
    board.expire(1, () => "gone"),
    true,
  );
});

test("a container is a stray outside of its node's part, and where another holds the address too", () => {
  const containers = [3, 5, 9].map((address) => ({ address, container: `c${address}` }));
  const others = [{ address: 5, container: "theirs", holder: "2-000000bb" }];
  assert.deepEqual(
    straysOf(containers, [{ start: 0, end: 8 }], others).map(({ address }) => address),
    [5, 9],
  );
});

test("a note survives the wire", () => {
  const stray = fc.record({
    address: fc.nat(2 ** 32 - 1),
    container: fc.stringMatching(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,60}$/),
  });
  fc.assert(
    fc.property(fc.array(stray, { maxLength: STRAYS_IN_A_NOTE }), (given) => {
      const strays = given.map((each) => ({ ...each }));
      const note = { holder: "65535-0badcafe", strays };
      assert.deepEqual(decodeStrays(encodeStrays(note.holder, strays)), note);
    }),
  );
});

test("hostile bytes give no note, or a bounded one without control characters", () => {
  const prefix = encodeStrays("1-000000aa", []);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, framed) => {
      const decoded = decodeStrays(framed ? Buffer.concat([prefix, bytes]) : bytes);
      assert.ok((decoded?.strays.length ?? 0) <= STRAYS_IN_A_NOTE);
      for (const { container } of decoded?.strays ?? []) assert.match(container, /^[\w.?-]*$/);
    }),
  );
});
