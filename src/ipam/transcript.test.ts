/** The machine's behaviour as transcripts (golden/*.txt; UPDATE_GOLDEN=1 writes them anew). */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { formatIpv4 } from "../values/ipv4.ts";
import { ip, transcript } from "./transcript.ts";

function compareGolden(name: string, lines: readonly string[]): void {
  const path = join(import.meta.dirname, "golden", name);
  const text = `${lines.join("\n").trim()}\n`;
  if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(path, text);
  assert.equal(text, readFileSync(path, "utf8"));
}

test("node 1 alone is born, gives addresses and shows four quarters", () => {
  const { cluster, lines, say, status } = transcript([1]);
  say("before anything is settled nothing is ours");
  cluster.run(10);
  status(1);
  say("every target was tried for long enough");
  cluster.settle(1);
  cluster.run(10);
  say("two containers start");
  assert.equal(formatIpv4(cluster.request(1, "any") ?? 0), "10.40.0.0");
  assert.equal(formatIpv4(cluster.request(1, "any") ?? 0), "10.40.0.1");
  cluster.run(20);
  status(1);
  compareGolden("lone-node-1.txt", lines);
});

test("node 5 alone gives nothing; connected, it asks, and goes on alone with what it got", () => {
  const { cluster, lines, say, status } = transcript([1, 5]);
  cluster.part([[1], [5]]);
  cluster.settle(1);
  cluster.settle(5);
  say("a container on node 5 waits in vain");
  cluster.request(5, "any", cluster.nowMs + 3000);
  cluster.run(3100);
  status(5);
  say("connected: within 5 s there is space");
  cluster.heal();
  cluster.pushPull(1, 5);
  cluster.run(5000);
  status(5);
  say("cut off again, the next container starts all the same");
  cluster.part([[1], [5]]);
  assert.equal(formatIpv4(cluster.request(5, "any") ?? 0), "10.41.0.0");
  compareGolden("node-5-asks.txt", lines);
});

test("an idle owner of a /15 gives a /16, with one address in use a /17, then another /17", () => {
  const { cluster, lines, say, status } = transcript([1, 5, 6, 7]);
  cluster.part([[1], [5], [6], [7]]);
  for (const id of [1, 5, 6, 7]) cluster.settle(id);
  cluster.run(20);
  say("idle");
  cluster.part([[1, 5], [6], [7]]);
  cluster.run(50);
  status(1);
  const fresh = transcript([1, 6, 7]);
  fresh.cluster.part([[1], [6], [7]]);
  for (const id of [1, 6, 7]) fresh.cluster.settle(id);
  fresh.cluster.run(20);
  fresh.say("one address in use");
  fresh.cluster.request(1, "any");
  fresh.cluster.run(20);
  fresh.cluster.part([[1, 6], [7]]);
  fresh.cluster.run(50);
  fresh.status(1);
  fresh.say("and next");
  fresh.cluster.part([[1, 7], [6]]);
  fresh.cluster.run(50);
  fresh.status(1);
  compareGolden("donation.txt", [...lines, ...fresh.lines]);
});

test("claims of certain addresses go to their owner", () => {
  const { cluster, lines, say } = transcript([1, 2]);
  cluster.heal();
  for (const id of [1, 2]) cluster.settle(id);
  cluster.run(20);
  const address = ip("10.34.192.7");
  say("node 1 wants an address of node 2");
  cluster.request(1, address);
  cluster.run(50);
  assert.equal(cluster.request(1, address), address);
  say("node 2 wants it too: in use");
  cluster.request(2, address);
  cluster.run(50);
  say("an address of node 3, which is not reachable");
  cluster.request(1, ip("10.37.0.7"));
  cluster.run(50);
  say("cut off from node 2");
  cluster.part([[1], [2]]);
  cluster.request(1, ip("10.34.192.8"));
  cluster.run(50);
  compareGolden("claims.txt", lines);
});
