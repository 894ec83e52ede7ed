import assert from "node:assert/strict";
import { test } from "node:test";
import { HansaError, isHansaError } from "../../errors.ts";
import { untilLed } from "./until-led.ts";

const STATUS = {
  ...{ cluster: "a1", member: 7n, leader: 7n, isLearner: false, revision: 1n, term: 2n },
  ...{ applied: 4n, bytes: 4096n, inUse: 4096n, version: "3.5.16" },
};

test("an etcd that does not answer yet is asked again until it leads", async () => {
  const answers = [
    () => Promise.reject(new HansaError("STORE_UNREACHABLE", "connection refused")),
    async () => ({ ...STATUS, leader: undefined }),
    async () => STATUS,
  ];
  await untilLed({ status: () => (answers.shift() ?? assert.fail())() });
  assert.deepEqual(answers, []);
});

test("who has no use for it any more waits no longer, whatever etcd says", async () => {
  const unreachable = new HansaError("STORE_UNREACHABLE", "canceled");
  const refused = new HansaError("STORE_REFUSED", "another node made the store anew meanwhile");
  let looks = 0;
  const waited = untilLed(
    {
      status() {
        looks += 1;
        return Promise.reject(unreachable);
      },
    },
    () => {
      if (looks === 2) throw refused;
    },
  );
  await assert.rejects(waited, (error) => isHansaError(error, "STORE_REFUSED"));
  assert.equal(looks, 2);
});
