import assert from "node:assert/strict";
import { test } from "node:test";
import { exampleStore } from "../../api/fake-store.ts";
import { plain } from "./paint.ts";
import { storeText } from "./store-text.ts";

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

test("of an even number of votes it is said that one less would survive as much", () => {
  const votes = { expected: 4, answering: 4, needed: 3 };
  const text = storeText({ ...exampleStore(), votes }, plain);
  assert.match(text, /4 of 4 answer, 3 are needed; 4 votes survive 1 failure, as 3 would$/m);
  const one = storeText(
    { ...exampleStore(), votes: { expected: 1, answering: 1, needed: 1 } },
    plain,
  );
  assert.match(one, /1 of 1 answers, 1 is needed; 1 vote survives no failures$/m);
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
