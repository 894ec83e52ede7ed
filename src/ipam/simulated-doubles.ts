/**
 * Leads a simulated cluster to where a detected case must lead: to an address that two containers hold. For tests. Pure: all chance
 * comes from the cluster's `random`.
 *
 * Invariant: each function goes on until what it is for is so, and fails after a bounded number of steps; nothing is left to luck.
 */
import assert from "node:assert/strict";
import type { Range } from "../values/cidr.ts";
import type { Ipv4 } from "../values/ipv4.ts";
import type { NodeId } from "../values/node-id.ts";
import { intersectRanges } from "./range-set.ts";
import { checkPromise, doubles, pushPullAll, quiesce } from "./simulated-churn.ts";
import type { SimulatedCluster } from "./simulated-cluster.ts";

/** Of 100 ms each: some hundred times as long as a grant without loss takes. */
const MAX_STEPS = 300;
const STEP_MS = 100;

/** All is quiet, everybody knows one ring, and `key` owns space, which is returned; then things fail again as before. */
export function withSpace(cluster: SimulatedCluster, key: number): readonly Range[] {
  const { loss, crash } = cluster;
  quiesce(cluster, checkPromise);
  until(`host ${key} has space`, cluster, () => {
    if (spaceOf(cluster, key).length > 0) return true;
    cluster.request(key, "any");
    return false;
  });
  quiesce(cluster, checkPromise);
  cluster.loss = loss;
  cluster.crash = crash;
  return spaceOf(cluster, key);
}

/** Until `to` owns a part of `had`, which it claims of `from`, one address at a time. Both must reach each other. */
export function passOn(
  cluster: SimulatedCluster,
  from: number,
  to: number,
  had: readonly Range[],
): void {
  until(`host ${to} has what host ${from} had`, cluster, () => {
    if (intersectRanges(spaceOf(cluster, to), had).length > 0) return true;
    const { leases } = cluster.host(from).book;
    const left = addressesOf(intersectRanges(spaceOf(cluster, from), had));
    const free = left.filter((address) => !leases.has(address));
    if (free.length === 0) for (const address of left) cluster.release(from, address);
    else cluster.request(to, cluster.pick(free));
    return false;
  });
}

/** For a moment nothing fails, and who reach each other tell each other all; the split stays. */
export function tellAll(cluster: SimulatedCluster): void {
  const { loss, crash } = cluster;
  cluster.loss = 0;
  cluster.crash = 0;
  for (let i = 0; i < 3; i++) {
    pushPullAll(cluster);
    cluster.run(1000, () => checkPromise(cluster));
  }
  cluster.loss = loss;
  cluster.crash = crash;
}

/** Until `taker` has taken over all of `from`: a daemon that dies meanwhile has done nothing, so it is told again. */
export function takeOver(cluster: SimulatedCluster, taker: number, from: NodeId): void {
  const { id } = cluster.host(taker);
  until(`host ${taker} has taken over node ${from}`, cluster, () => {
    const host = cluster.host(taker);
    if (!host.addresses.entries().some(({ owner }) => owner === from)) return true;
    cluster.feed(host, { type: "take-over", from });
    return false;
  });
  assert.ok(
    cluster
      .host(taker)
      .addresses.entries()
      .some(({ owner }) => owner === id),
  );
}

/** Until an address is held on both sides of a split: on each, a container asks for one that both sides take for theirs. */
export function holdTwice(cluster: SimulatedCluster, apart: readonly number[]): void {
  const rest = [...cluster.hosts.keys()].filter((key) => !apart.includes(key));
  until("an address is held twice", cluster, () => {
    for (const a of apart) {
      for (const b of rest) {
        const both = addressesOf(intersectRanges(spaceOf(cluster, a), spaceOf(cluster, b)));
        if (both.length === 0) continue;
        const address = cluster.pick(both);
        for (const key of [a, b]) cluster.request(key, address);
      }
    }
    return doubles(cluster).size > 0;
  });
}

function until(what: string, cluster: SimulatedCluster, step: () => boolean): void {
  for (let i = 0; i < MAX_STEPS; i++) {
    if (step()) return;
    // A daemon that died has forgotten that it may begin, and what it was told while it was down.
    for (const key of cluster.hosts.keys()) cluster.settle(key);
    pushPullAll(cluster);
    cluster.run(STEP_MS);
  }
  assert.fail(`not after ${MAX_STEPS} steps: ${what}`);
}

/** What the host's plugin may give. */
function spaceOf(cluster: SimulatedCluster, key: number): readonly Range[] {
  const { space } = cluster.host(key).book;
  return space?.ready ? space.ranges : [];
}

function addressesOf(ranges: readonly Range[]): Ipv4[] {
  const list: Ipv4[] = [];
  for (const { start, end } of ranges) for (let at = start; at < end; at++) list.push(at);
  return list;
}
