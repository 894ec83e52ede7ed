import assert from "node:assert/strict";
import { test } from "node:test";
import type { Departure } from "../../membership/departures.ts";
import type { MemberView } from "../../membership/machine.ts";
import { encodeMetadata } from "../../membership/metadata.ts";
import { overlayBlock } from "../host-facts/underlay.ts";
import { heardPeers, rosterOf } from "./roster.ts";

interface Spec {
  readonly id: number;
  readonly key: string;
  readonly binding?: number;
  readonly state?: MemberView["state"];
  readonly subnet?: string;
  readonly encryption?: "wireguard" | "none";
}

function member(spec: Spec) {
  const { id, key, binding = 0, state = "alive", subnet = "10.32.0.0/12" } = spec;
  const meta = encodeMetadata({
    id,
    name: `host${id}`,
    keyFingerprint: key,
    binding,
    boot: 1,
    engineId: "",
    role: "peer",
    links: [],
    ports: { gossip: 6783, overlay: 6784, api: 1443 },
    wireguardKey: new Uint8Array(32),
    version: "test",
    store: undefined,
    encryption: spec.encryption ?? "wireguard",
    subnet: overlayBlock(subnet),
    raftPort: 9212,
  });
  return { name: `${id}-${key}`, meta, state } as MemberView;
}

const SELF = member({ id: 5, key: "55555555" });
const roster = (...specs: Spec[]) => rosterOf([SELF, ...specs.map(member)], SELF.name);

test("peers are sorted, and heard unless they are dead or left", () => {
  const { peers, twins, usurper } = roster(
    { id: 9, key: "00000009", state: "dead" },
    { id: 2, key: "00000002" },
    { id: 1, key: "00000001", state: "suspect" },
    { id: 3, key: "00000003", state: "left" },
  );
  const ids = peers.map(({ metadata }) => metadata.id);
  assert.deepEqual([ids, twins, usurper], [[1, 2, 9], [], undefined]);
  assert.deepEqual(
    heardPeers(roster({ id: 9, key: "00000009" }, { id: 2, key: "00000002" })),
    [2, 9],
  );
});

test("of twins the lower binding counter wins, then the lower key", () => {
  const { peers, twins } = roster(
    { id: 2, key: "aaaaaaaa" },
    { id: 2, key: "00000002", binding: 1 },
    { id: 3, key: "bbbbbbbb" },
    { id: 3, key: "aaaaaaaa" },
  );
  const names = (list: typeof peers): string[] => list.map((node) => node.member.name);
  assert.deepEqual(names(peers), ["2-aaaaaaaa", "3-aaaaaaaa"]);
  assert.deepEqual(names(twins), ["2-00000002", "3-bbbbbbbb"]);
});

test("whoever wins our id is the usurper and no peer; who lost it or left is not", () => {
  const taken = roster({ id: 5, key: "00000005" });
  assert.equal(taken.usurper?.member.name, "5-00000005");
  assert.deepEqual(taken.peers, []);
  assert.deepEqual(taken.twins, [taken.self]);
  assert.equal(roster({ id: 5, key: "66666666" }).usurper, undefined);
  assert.equal(roster({ id: 5, key: "00000005", state: "left" }).usurper, undefined);
});

test("a node that left gives way to the one that has its id now", () => {
  const { peers } = roster({ id: 2, key: "00000002", state: "left" }, { id: 2, key: "aaaaaaaa" });
  assert.deepEqual(
    peers.map((node) => node.member.name),
    ["2-aaaaaaaa"],
  );
});

test("whose key is gone for good is nobody's peer or twin, and listed while it is heard", () => {
  const gone = (id: number, keyFingerprint: string): Departure => {
    return { id, keyFingerprint, cause: "taken-over", atSeconds: 1 };
  };
  const departures = new Map([
    ["2-00000002", gone(2, "00000002")],
    ["3-00000003", gone(3, "00000003")],
    [SELF.name, gone(5, "55555555")],
  ]);
  const members = [
    SELF,
    member({ id: 2, key: "00000002" }),
    member({ id: 2, key: "aaaaaaaa" }),
    member({ id: 3, key: "00000003", state: "dead" }),
  ];
  const { peers, twins, departed, expelled } = rosterOf(members, SELF.name, departures);
  const names = (list: typeof peers): string[] => list.map((node) => node.member.name);
  assert.deepEqual(
    [names(peers), names(twins), names(departed)],
    [["2-aaaaaaaa"], [], ["2-00000002"]],
  );
  assert.equal(expelled?.id, 5);
  assert.equal(roster().expelled, undefined);
});

test("plain members, names that lie about the id, and nodes of another subnet or encryption are foreign", () => {
  const plain = { name: "plain", meta: Buffer.from("x"), state: "alive" } as unknown as MemberView;
  const liar = { ...member({ id: 2, key: "00000002" }), name: "3-00000002" };
  const elsewhere = member({ id: 4, key: "00000004", subnet: "10.64.0.0/16" });
  const clear = member({ id: 6, key: "00000006", encryption: "none" });
  const { foreign, peers } = rosterOf([SELF, plain, liar, elsewhere, clear], SELF.name);
  assert.deepEqual(foreign, [plain, liar, elsewhere, clear]);
  assert.deepEqual(peers, []);
});
