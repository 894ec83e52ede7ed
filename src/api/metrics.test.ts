import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FakeNode } from "./fake-node.ts";
import { metricsText } from "./metrics.ts";

const USAGE = { cpuSeconds: 1.5, residentBytes: 1024 };

test("a status in numbers, in Prometheus's own words", async () => {
  const status = await new FakeNode().status();
  const text = metricsText(status, { packetsIn: 7 }, USAGE);
  for (const line of [
    'hansa_peers{state="alive"} 2',
    "hansa_addresses_owned 131072",
    "hansa_addresses_active 2",
    "# TYPE hansa_gossip_packets_in_total counter",
    "hansa_gossip_packets_in_total 7",
    "process_cpu_seconds_total 1.5",
  ]) {
    assert.ok(text.split("\n").includes(line), `${line} is missing in\n${text}`);
  }
});

test("whatever names and warnings there are, each line is a comment or one sample", async () => {
  const status = await new FakeNode().status();
  const line =
    /^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{([a-z]+="([^"\\\n]|\\[\\"n])*",?)+\})? -?[0-9.e+-]+)$/;
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => {
      const node = { ...status.node, name: text };
      const warnings = [{ code: text, message: text, hint: text }];
      const written = metricsText({ ...status, node, warnings }, {}, USAGE);
      for (const each of written.trimEnd().split("\n")) assert.match(each, line);
    }),
  );
});
