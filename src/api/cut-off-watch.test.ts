import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { closed } from "../../test/closed.ts";
import type { UnansweredEnd } from "../host/tcp-silence.ts";
import { CutOffWatch } from "./cut-off-watch.ts";

test("who did not acknowledge for seven tries is ended; who missed fewer, and who is another, stays", async () => {
  const open = new Set<Socket>();
  const server = createServer((socket) => open.add(socket)).listen(0, "::");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const clients = [1, 2, 3].map(() => connect(port, "127.0.0.1"));
  await Promise.all(clients.map((client) => once(client, "connect")));
  while (open.size < 3) await new Promise(setImmediate);
  const end = (client: Socket | undefined, tries: number): UnansweredEnd => ({
    ...{ ip: "127.0.0.1", port: client?.localPort ?? 0, tries },
  });
  const [first, second] = clients;
  let looks = 0;
  const reasons: string[] = [];
  const watch = new CutOffWatch({
    open: () => [...open].filter((socket) => !socket.destroyed),
    unanswered: async () => {
      looks += 1;
      // An address that is none of ours, at the same port.
      return [end(first, 7), end(second, 6), { ...end(clients[2], 9), ip: "127.0.0.9" }];
    },
    cut: (_socket, why) => reasons.push(why),
    lookMs: 1,
  });
  watch.wake();
  await closed(first as Socket);
  const before = looks;
  while (looks < before + 3) await new Promise((resolve) => setTimeout(resolve, 2));
  assert.deepEqual(reasons, ["does not answer any more"]);
  assert.deepEqual(
    [...open].map(({ destroyed }) => destroyed),
    [true, false, false],
  );
  for (const client of clients) client.destroy();
  while ([...open].some(({ destroyed }) => !destroyed)) await new Promise(setImmediate);
  watch.close();
  server.close();
});
