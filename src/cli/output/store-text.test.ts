import assert from "node:assert/strict";
import { test } from "node:test";
import { exampleStore } from "../../api/fake-store.ts";
import type { StoreView } from "../../api/store-schemas.ts";
import { plain } from "./paint.ts";
import { storeText, votesText } from "./store-text.ts";

test("the store is shown with its voters, and how many failures they survive", () => {
  assert.equal(
    storeText(exampleStore(), plain),
    `Name:             prod
Store:            3f1c0d2b9a8e7f65, generation 1
Config Version:   3
Quorate:          Yes
Votes:            2 of 3 answer, 2 are needed; 3 votes survive 1 failure
Leader:           host1 (1)
Times:            heartbeat 400 ms, election 4 s: 302 ms between voters, 12 ms to keep a write
Size:             20 KiB
Copy here:        revision 12, as of 3s ago

NODE               ADDRESS         VOTE     STATE
host1 (1) (local)  10.32.0.1:9212  yes      leads
host2 (2)          10.32.0.2:9212  yes      follows
host3 (3)          10.32.0.3:9212  yes      away
host4 (4)          10.32.0.4:9212  not yet  follows`,
  );
});

function votes(expected: number, witness: StoreView["witness"] = null): string {
  const needed = Math.floor(expected / 2) + 1;
  return votesText({
    ...exampleStore(),
    votes: { expected, answering: expected, needed },
    witness,
  });
}

test("how many failures are survived is said, and where a witness would make it one more", () => {
  assert.match(votes(1), /; 1 vote survives no failures$/);
  assert.match(votes(2), /; 2 votes survive no failures; a witness makes it 1$/);
  assert.match(votes(3), /; 3 votes survive 1 failure$/);
  assert.match(votes(4), /; 4 votes survive 1 failure, as 3 would; a witness makes it 2$/);
  const witness = { host: "box", port: 5403, isHeard: true, hasVote: true };
  assert.match(votes(4, witness), /; 4 votes survive 1 failure, as 3 would$/);
});

test("the witness has a line and, while it has a vote or is to have one, a row of its own", () => {
  const store = exampleStore();
  const row = {
    id: 0,
    name: "witness box",
    address: "127.0.0.1:9213",
    isLocal: false,
    problem: null,
  };
  const voters = [{ ...row, hasVote: true, state: "follows" as const }, ...store.voters];
  const witness = { host: "box", port: 5403, isHeard: false, hasVote: true };
  const text = storeText({ ...store, voters, witness }, plain);
  assert.match(text, /^Witness: +box:5403, has a vote, not heard here$/m);
  assert.match(text, /^witness box +127\.0\.0\.1:9213 +yes +follows$/m);
});

test("below the voters stands why one cannot take its vote", () => {
  const store = exampleStore();
  const problem = {
    ...{ code: "PORT_TAKEN", message: "port 2379/tcp on 127.0.0.1 is held by etcd (pid 7)" },
    hint: "stop that program",
  };
  const voters = store.voters.map((voter) => (voter.id === 4 ? { ...voter, problem } : voter));
  assert.match(
    storeText({ ...store, voters }, plain),
    /follows\n\nhost4 \(4\): PORT_TAKEN: port 2379\/tcp on 127\.0\.0\.1 is held by etcd \(pid 7\)\n {2}stop that program$/,
  );
});
