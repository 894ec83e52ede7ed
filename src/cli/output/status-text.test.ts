import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { exampleStatus } from "../../api/example-answers.ts";
import type { Status } from "../../api/status-schema.ts";
import { alignColumns } from "./align-columns.ts";
import { coloured, plain } from "./paint.ts";
import {
  connectionsText,
  dnsText,
  hasSeveralLinks,
  ipamText,
  linksText,
  nodeText,
  peersText,
  targetsText,
} from "./status-text.ts";

function example(): Status {
  const status = exampleStatus();
  return { ...status, node: { ...status.node, version: "1.2.3" } };
}

/** Three seconds before the example's retry. */
const NOW = Date.parse("2026-01-02T03:04:05.000Z");
const view = { paint: plain, nowMs: NOW };

function golden(name: string, text: string): void {
  const path = join(import.meta.dirname, "../golden", `${name}.golden`);
  if (process.env["UPDATE_GOLDEN"] === "1") {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `${text}\n`);
  }
  assert.equal(`${text}\n`, readFileSync(path, "utf8"));
}

test("the sections of an example cluster", () => {
  const status = example();
  golden("node", nodeText(status));
  golden("targets", targetsText(status));
  golden("peers", peersText(status, view));
  golden("connections", connectionsText(status, view));
  golden("links", linksText(status, view));
  golden("dns", dnsText(status));
  golden("ipam", ipamText(status, view));
  golden("connections-coloured", connectionsText(status, { paint: coloured, nowMs: NOW }));
});

test("links are worth telling where there is a choice", () => {
  const status = example();
  const [first, , other] = status.links;
  assert.ok(first && other);
  assert.equal(hasSeveralLinks(status), true);
  assert.equal(hasSeveralLinks({ ...status, links: [first, other] }), false);
});

test("a cluster without encryption says so in capitals", () => {
  const status = example();
  const text = nodeText({ ...status, cluster: { ...status.cluster, encryption: "none" } });
  assert.match(text, /^encryption +UNENCRYPTED \(vxlan\): /m);
});

test("long names, IPv6, odd peers and every state keep the columns", () => {
  const base = example();
  const [established, pending, retrying, failed] = base.connections;
  assert.ok(established && pending && retrying && failed);
  const status: Status = {
    ...base,
    node: { ...base.node, engineId: null, address: null },
    connections: [
      { ...established, encrypted: false, backend: "vxlan", rttMs: 123.4 },
      {
        ...established,
        address: "[2001:db8:1234:5678:9abc:def0:1234:5678]:6783",
        peer: { id: 65535, name: "a-node-with-a-very-long-name.example.org" },
        rttMs: 12.34,
      },
      { ...pending, peer: null },
      { ...retrying, state: "connecting", error: null, retryAt: null },
      { ...retrying, state: "connecting", error: "connection refused on 6783/tcp" },
      { ...retrying, retryAt: "2026-01-02T03:14:05.000Z" },
      { ...retrying, retryAt: "2026-01-02T03:04:00.000Z" },
      { ...failed, error: "authentication failed or other cluster" },
    ],
    peers: [
      ...base.peers,
      {
        id: 0,
        name: "nomad-7",
        address: "192.0.2.9:7946",
        state: "foreign",
        version: null,
        connections: [],
      },
      {
        id: 2,
        name: "copy-of-host2",
        address: "192.0.2.8:6783",
        state: "twin",
        version: "0.1.0+0",
        connections: [],
      },
    ],
  };
  golden("node-unknown", nodeText(status));
  golden("peers-odd", peersText(status, view));
  golden("connections-odd", connectionsText(status, view));
});

test("an empty status is empty sections", () => {
  const status: Status = {
    ...exampleStatus(),
    targets: [],
    peers: [],
    connections: [],
    ipam: { ...exampleStatus().ipam, entries: [] },
  };
  assert.equal(targetsText(status), "");
  assert.equal(peersText(status, view), "");
  assert.equal(connectionsText(status, view), "");
  assert.equal(ipamText(status, view), "");
});

test("no cell is ever cut, and each column but the last begins at one place", () => {
  const cell = fc.stringMatching(/^[a-z]{1,12}$/);
  fc.assert(
    fc.property(fc.array(fc.tuple(cell, cell, cell), { minLength: 1, maxLength: 6 }), (rows) => {
      const lines = alignColumns(rows).split("\n");
      const first = Math.max(...rows.map(([a]) => a.length)) + 2;
      for (const [index, [a, b, c]] of rows.entries()) {
        const line = lines[index] ?? "";
        assert.ok(line.startsWith(a) && line.endsWith(c));
        assert.equal(line.slice(first, first + b.length), b);
      }
    }),
    { numRuns: 200 },
  );
});
