import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { exampleJoinInfo } from "../api/fake-cluster.ts";
import { type HostFacts, type JoinFacts, joinProblems, type PathFact } from "./join-problems.ts";

const NOW = Date.parse("2021-09-14T11:06:47.000Z");

const host: HostFacts = {
  ...{ name: "hp5", id: undefined, links: [], addresses: ["192.168.15.95"], version: "0.1.3" },
  ...{ node: undefined, containers: [], refusals: [] },
};

const facts = (changed: Partial<HostFacts> = {}, paths: readonly PathFact[] = []): JoinFacts => ({
  host: { ...host, ...changed },
  cluster: { info: exampleJoinInfo(), askedAtMs: NOW + 4_000 },
  paths,
});

const link = (number: number, address: string) => ({ number, address, priority: 1 });

test("a host that fits has no problems: another patch release and a clock 4 s off are none", () => {
  const open = { member: "hp1", direction: "to-host", protocol: "tcp", port: 6783, isOpen: true };
  assert.deepEqual(joinProblems(facts({}, [open as PathFact])), []);
  assert.deepEqual(joinProblems(facts({ links: [link(0, "192.168.15.95")], id: 9 })), []);
});

test("everything that is wrong is told at once, and only what may be meant so can be overridden", () => {
  const closed = (member: string, direction: PathFact["direction"]): PathFact => ({
    ...{ member, direction, protocol: "udp", port: 6784, isOpen: false },
  });
  const problems = joinProblems({
    host: {
      ...host,
      ...{ name: "HP1", id: 3, version: "0.2.0", containers: ["web", "db"] },
      links: [link(1, "192.168.15.92"), link(2, "192.168.15.95")],
      node: { id: 1, name: "hp5", cluster: "other" },
      refusals: ["port 2379/tcp is held by another program"],
    },
    cluster: { info: { ...exampleJoinInfo(), quorate: false }, askedAtMs: NOW + 60_000 },
    paths: [closed("hp2", "to-host"), { ...closed("hp1", "from-host"), link: 2 }],
  });
  const text = problems.map(
    ({ text: each, isOverridable }) => `${isOverridable ? "!" : " "} ${each}`,
  );
  const golden = join(import.meta.dirname, "golden", "join-problems.golden");
  assert.equal(`${text.join("\n")}\n`, readFileSync(golden, "utf8"));
});

test("a cluster that cannot be asked is one problem beside the host's own", () => {
  const cluster = { refused: "the token is not that of the cluster at hp1" };
  assert.deepEqual(joinProblems({ host: { ...host, containers: ["web"] }, cluster, paths: [] }), [
    { text: "this host already has containers on the network hansa: web", isOverridable: true },
    { text: cluster.refused, isOverridable: false },
  ]);
});

test("a clock that shows nothing is no clock that agrees", () => {
  const info = { ...exampleJoinInfo(), date: "soon" };
  const [problem] = joinProblems({ ...facts(), cluster: { info, askedAtMs: NOW } });
  assert.match(problem?.text ?? "", /in the cluster unknown$/);
});
