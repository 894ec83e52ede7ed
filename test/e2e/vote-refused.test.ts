/** A node that cannot take the vote that it is to have: told there, by the leader and by the doctor, and it holds nobody else up. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { StoreView } from "../../src/api/store-schemas.ts";
import type { Playground } from "../../src/playground/playground.ts";
import { eventually, hansa, hosts, launch, must, status } from "./cluster.ts";

let playground: Playground;

before(async () => {
  playground = await hosts("e2evref", 3);
  await launch(playground.host(1), 1);
  await launch(playground.host(2), 2, "host1");
  await launch(playground.host(3), 3, "host1");
});
after(() => playground?.down());

async function store(id: number): Promise<StoreView> {
  const { stdout, stderr } = await hansa(playground.host(id), "store", "-o", "json");
  assert.notEqual(stdout, "", stderr);
  return JSON.parse(stdout);
}

test("a port of the store that another program has: the others have their votes, and both nodes say why one has none", async () => {
  const [one, two] = [playground.host(1), playground.host(2)];
  const holder = await two.spawn(["socat", "TCP4-LISTEN:2379,fork,bind=127.0.0.1", "STDOUT"]);
  // The other program needs a moment to listen.
  await eventually("the doctor names who has the port", 20_000, async () => {
    const { stdout } = await hansa(two, "doctor", "-o", "json");
    const found =
      /DOCTOR_STORE_PORT_TAKEN[\s\S]*port 2379\/tcp on 127\.0\.0\.1 is held by socat \(pid \d+\)/;
    if (found.test(stdout)) return true;
    throw new Error(stdout);
  });
  await must(one, "hansa", "create", "prod");
  await eventually("node 3 has its vote all the same", 60_000, async () =>
    (await store(1)).voters.some(({ id, hasVote }) => id === 3 && hasVote) ? true : undefined,
  );
  const told = async (id: number): Promise<string> =>
    (await status(playground.host(id))).warnings
      .map(({ code, message }) => `${code}: ${message}`)
      .join("\n");
  const here =
    /PORT_TAKEN: this node cannot take its vote: port 2379\/tcp on 127\.0\.0\.1 is held by socat/;
  await eventually("node 2 says why it has none", 60_000, async () =>
    here.test(await told(2)) ? true : undefined,
  );
  await eventually("the leader says so too", 60_000, async () => {
    const { leader } = await store(1);
    const sentence = /PORT_TAKEN: node 2 \(host2\) cannot take its vote: port 2379/;
    return sentence.test(await told(leader?.id ?? 1)) || undefined;
  });
  await eventually("hansa store says so on any node", 60_000, async () => {
    const { stdout } = await hansa(playground.host(3), "store");
    return /host2 \(2\): PORT_TAKEN: port 2379/.test(stdout) || undefined;
  });
  holder.kill("SIGKILL");
  await eventually("it takes its vote when the port is free", 120_000, async () =>
    (await store(1)).voters.some(({ id, hasVote }) => id === 2 && hasVote) ? true : undefined,
  );
  await eventually("and nothing is said of it any more", 60_000, async () => {
    const said = await Promise.all([told(1), told(2), told(3)]);
    return said.every((text) => !text.includes("PORT_TAKEN")) || undefined;
  });
});
