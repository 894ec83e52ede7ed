/** Five nodes of which each knows only host1 end as a full mesh of ten tunnels, each proved by traffic. */
import { test } from "node:test";
import { allReachAll, fullMesh, hosts, launch, must, type Served, served } from "./cluster.ts";

test("five nodes that only know host1 end as a full mesh", async () => {
  await using playground = await hosts("e2ec", 5, 2);
  const all = [1, 2, 3, 4, 5].map((id) => playground.host(id));
  // Those who know host1 start before host1 is there.
  await Promise.all([2, 3, 4, 5].map((id) => launch(playground.host(id), id, "host1")));
  await launch(playground.host(1), 1);
  await fullMesh(all, 20_000);
  const containers: Served[] = [];
  for (const [index, host] of all.entries()) {
    await must(host, "hansa", "prime");
    const name = `c${index + 1}`;
    containers.push(await served(host, name));
  }
  await allReachAll(containers);
});
