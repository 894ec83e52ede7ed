/** `hansa status --watch` follows the node, waits for a daemon that restarts, and ends by Ctrl-C and with its reader. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, test } from "node:test";
import type { Host, Playground } from "../../src/playground/playground.ts";
import { eventually, hosts, launch, must, type StatusDocument } from "./cluster.ts";

let playground: Playground;
let host: Host;
before(async () => {
  playground = await hosts("e2ewat", 1);
  host = playground.host(1);
  await launch(host, 1);
});
after(() => playground?.down());

test("each change is one line of JSON within a second, over a restart of the daemon too", async () => {
  const watch = host.spawn(["sh", "-c", "echo $$ >&2; exec hansa status --watch -o json"]);
  let out = "";
  let err = "";
  watch.stdout.on("data", (part: Buffer) => {
    out += part;
  });
  watch.stderr.on("data", (part: Buffer) => {
    err += part;
  });
  const shows = (target: string, withinMs: number): Promise<StatusDocument> =>
    eventually(`${target} is shown`, withinMs, async () =>
      out
        .split("\n")
        .slice(0, -1)
        .map((line): StatusDocument => JSON.parse(line))
        .find(({ targets }) => targets.includes(target)),
    );
  await eventually("the first document", 5_000, async () => out.includes("\n") || undefined);
  await must(host, "hansa", "connect", "192.0.2.1");
  await shows("192.0.2.1", 1_000);
  await must(host, "sh", "-c", "kill -9 $(cut -d' ' -f1 /run/hansa/daemon.pid)");
  await eventually("it waits", 5_000, async () => /waiting for it/.test(err) || undefined);
  await eventually("the daemon is back", 20_000, async () => {
    const { status } = await host.exec(["hansa", "connect", "192.0.2.2"]);
    return status === 0 || undefined;
  });
  await shows("192.0.2.2", 5_000);
  // The same that Ctrl-C sends.
  await must(host, "kill", "-INT", err.split("\n")[0] ?? "");
  const [code] = await once(watch, "close");
  assert.equal(code, 0, err);
  assert.doesNotMatch(err, /Error/);
});

test("it ends when its reader is gone, at the next change", async () => {
  const script = "hansa status --watch -o json | head -n 1 > /dev/null; echo ended";
  const watch = host.spawn(["sh", "-c", script]);
  const ended = once(watch, "close");
  let count = 3;
  const change = setInterval(() => {
    count += 1;
    void host.exec(["hansa", "connect", `192.0.2.${count}`]);
  }, 500);
  const [code] = await ended;
  clearInterval(change);
  assert.equal(code, 0);
});

test("a terminal is redrawn in place", async () => {
  const argv = ["script", "-qec", "hansa status --watch --targets", "/dev/null"];
  const watch = host.spawn(argv, { env: { TERM: "xterm" } });
  let out = "";
  watch.stdout.on("data", (part: Buffer) => {
    out += part;
  });
  await eventually("it is drawn", 5_000, async () => out.includes("192.0.2.1") || undefined);
  await must(host, "hansa", "connect", "192.0.2.77");
  await eventually("it is redrawn", 3_000, async () => out.includes("192.0.2.77") || undefined);
  assert.equal(out.split("\u001b[2J").length, 2, "cleared once");
  // Ctrl-C at the keyboard of that terminal.
  watch.stdin.write("\u0003");
  await once(watch, "close");
});
