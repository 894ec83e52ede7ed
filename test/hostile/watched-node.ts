/**
 * A node's API over TLS whose status changes as it is told: `watched-node.ts`. Prints a line of JSON with its port and a client's certificate; each
 * line `BYTES` on standard input makes another status of that size, each `?` prints memory, the longest time that it stood still, and who watches.
 */
import { createHash } from "node:crypto";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { createInterface } from "node:readline";
import { createApi } from "../../src/api/create-api.ts";
import { exampleStatus } from "../../src/api/example-answers.ts";
import { FakeNode } from "../../src/api/fake-node.ts";
import { serveTls } from "../../src/api/serve-tls.ts";
import type { Status } from "../../src/api/status-schema.ts";
import { StatusFeed } from "../../src/daemon/status/status-feed.ts";
import { createAuthority } from "../../src/identity/authority.ts";
import { freePort } from "../free-port.ts";

const authority = await createAuthority(createHash("sha256").update("a root").digest(), "test");
const mint = (role: "node" | "viewer") =>
  authority.mint({ names: ["localhost"], name: "host1", addresses: [], role });
const [own, client] = [await mint("node"), await mint("viewer")];

let status: Status = exampleStatus();
const feed = new StatusFeed(async () => status);
const node = Object.assign(new FakeNode(), {
  watchStatus: (signal: AbortSignal) => feed.watch(signal, "a"),
});
const port = await freePort();
await serveTls(createApi(node), {
  port,
  secureContext: async () => ({ key: own.privateKey, cert: own.certificate, ca: own.ca }),
  refused: () => undefined,
  unsent: { stalledMs: 5_000, maxBytes: 32 * 1024 * 1024 },
});
const delay = monitorEventLoopDelay({ resolution: 10 });
delay.enable();
process.stdout.write(`${JSON.stringify({ port, client })}\n`);
let changes = 0;
for await (const line of createInterface(process.stdin)) {
  if (line === "?") {
    const facts = {
      rss: process.memoryUsage.rss(),
      stillMs: delay.max / 1e6,
      watchers: feed.watchers,
    };
    process.stdout.write(`${JSON.stringify(facts)}\n`);
  } else {
    changes += 1;
    const filling = Array(Math.ceil(Number(line) / 1_000)).fill("x".repeat(1_000));
    status = { ...status, targets: [`change${changes}`, ...filling] };
    feed.changed();
  }
}
process.exit(0);
