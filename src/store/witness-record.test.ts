import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { encodeGiven, givenIn } from "./votes.ts";
import {
  decodeWitness,
  encodeWitness,
  witnessCommit,
  witnessMember,
  witnessNode,
} from "./witness-record.ts";

const RECORD = {
  ...{ host: "box.example.org", port: 5403, raftPort: 9213 },
  key: `sha256:${"0123456789abcdef".repeat(4)}`,
};

test("a record is read as it was written; whatever else is none", () => {
  assert.deepEqual(decodeWitness(encodeWitness(RECORD)), RECORD);
  assert.equal(decodeWitness(undefined), undefined);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 4096 }), (bytes) => {
      assert.equal(decodeWitness(bytes), undefined);
    }),
  );
  for (const wrong of [
    { host: "-x" },
    { host: "a b" },
    { port: 0 },
    { key: "x" },
    { raftPort: 1.5 },
  ]) {
    const bytes = new TextEncoder().encode(JSON.stringify({ version: 1, ...RECORD, ...wrong }));
    assert.equal(decodeWitness(bytes), undefined, JSON.stringify(wrong));
  }
});

test("its key is in its name, by which it counts among those that were given a vote", () => {
  const name = witnessMember(RECORD);
  assert.equal(name, "0-01234567");
  const given = { voters: [name, "1-abcdef01"], hasGrown: true };
  assert.deepEqual(givenIn(encodeGiven(given)), given);
  const seen = witnessNode(RECORD, { isHeard: true, mark: undefined });
  assert.deepEqual([seen.id, seen.peerUrl], [0, "https://127.0.0.1:9213"]);
});

test("writing it and striking it out count as one change of the configuration each", () => {
  const version = {
    key: "cluster/config-version",
    value: new TextEncoder().encode("4"),
    revision: 9n,
    created: 1n,
  };
  const written = {
    key: "cluster/witness",
    value: encodeWitness(RECORD),
    revision: 7n,
    created: 7n,
  };
  const made = witnessCommit(RECORD, undefined, version);
  assert.deepEqual(made.conditions, [
    { key: "cluster/witness", revision: 0n },
    { key: "cluster/config-version", revision: 9n },
  ]);
  const gone = witnessCommit(undefined, written, version);
  assert.deepEqual(gone.writes[0], { type: "remove", key: "cluster/witness" });
  assert.equal(gone.conditions[0]?.revision, 7n);
});
