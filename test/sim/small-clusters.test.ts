import assert from "node:assert/strict";
import { test } from "node:test";
import { seeded } from "../../src/values/seeded-random.ts";
import { forSeeds } from "./for-seeds.ts";
import type { SimulatedMember } from "./member.ts";
import { SimulatedNetwork } from "./network.ts";

/** `count` members that have all met the first one and know each other. */
function whole(network: SimulatedNetwork, count: number): SimulatedMember[] {
  const members = Array.from({ length: count }, (_, index) => network.add(`n${index + 1}`));
  for (const member of members) network.feed(member, { type: "tick" });
  for (const member of members.slice(1)) network.sync(member, members[0]!.endpoint);
  assert.ok(
    network.run(60_000, () => network.isWhole()),
    "the members never knew each other",
  );
  return members;
}

function events(member: SimulatedMember, kind: string): number {
  return member.events.filter(({ event }) => event.kind === kind).length;
}

test("four members that meet one of them are a full mesh well under 300 ms later", () => {
  forSeeds((seed) => {
    const network = new SimulatedNetwork({ seed });
    whole(network, 4);
    assert.ok(network.nowMs < 100, `took ${network.nowMs} ms`);
  });
});

test("64 members that meet one of them converge within five seconds", () => {
  forSeeds((seed) => {
    const network = new SimulatedNetwork({ seed });
    whole(network, 64);
    assert.ok(network.nowMs < 5_000, `took ${network.nowMs} ms`);
  });
});

test("an idle cluster sends probes and nothing else", () => {
  const network = new SimulatedNetwork({ seed: 7 });
  const members = whole(network, 8);
  network.run(10_000);
  const [packets, gossip] = [network.packets, network.gossipPackets];
  network.run(60_000);
  assert.equal(network.gossipPackets, gossip);
  const perMemberAndSecond = (network.packets - packets) / members.length / 60;
  assert.ok(perMemberAndSecond < 2.1, `${perMemberAndSecond} packets`);
});

test("a kill is known to all, and the dead one is kept", () => {
  forSeeds((seed) => {
    const network = new SimulatedNetwork({ seed });
    const members = whole(network, 16);
    network.run(5_000);
    const victim = members[9]!;
    network.kill(victim);
    const survivors = members.filter((member) => member !== victim);
    const known = () => survivors.every((member) => member.sees(victim) === "dead");
    assert.ok(network.run(40_000, known), "not all know");
    network.run(200_000);
    assert.ok(known(), "somebody forgot the dead");
    assert.equal(
      survivors.reduce((sum, member) => sum + events(member, "dead"), 0),
      15,
    );
  });
});

test("nobody is held dead at 5 % loss for five minutes", () => {
  forSeeds(
    (seed) => {
      const network = new SimulatedNetwork({ seed });
      const members = whole(network, 32);
      network.link = { ...network.link, loss: 0.05 };
      network.run(300_000);
      for (const member of members) assert.equal(events(member, "dead"), 0);
    },
    [1, 2, 3],
  );
});

test("two members and one of them killed: the other holds it dead within six seconds", () => {
  forSeeds((seed) => {
    const network = new SimulatedNetwork({ seed });
    const [one, two] = whole(network, 2) as [SimulatedMember, SimulatedMember];
    network.kill(two);
    assert.ok(network.run(6_500, () => one.sees(two) === "dead"));
  });
});

test("a member that was cut off and comes back refutes and is alive everywhere", () => {
  forSeeds((seed) => {
    const network = new SimulatedNetwork({ seed });
    const members = whole(network, 8);
    members[3]!.group = 1;
    network.run(40_000);
    assert.equal(members[0]!.sees(members[3]!), "dead");
    const before = members[3]!.writtenIncarnation;
    members[3]!.group = 0;
    assert.ok(network.run(15_000, () => network.isWhole()));
    assert.ok(members[3]!.writtenIncarnation > before);
  });
});

test("two halves of a split heal by themselves within 15 seconds", () => {
  forSeeds((seed) => {
    const network = new SimulatedNetwork({ seed, link: { loss: 0.02 } });
    const members = whole(network, 12);
    for (const member of members.slice(0, 6)) member.group = 1;
    network.run(90_000);
    assert.equal(members[0]!.sees(members[11]!), "dead");
    for (const member of members) member.group = 0;
    assert.ok(
      network.run(15_000, () => network.isWhole()),
      "not healed",
    );
  });
});

test("a graceful leave is known as left, not as dead", () => {
  forSeeds((seed) => {
    const network = new SimulatedNetwork({ seed });
    const members = whole(network, 10);
    const leaver = members[4]!;
    network.feed(leaver, { type: "leave" });
    const others = members.filter((member) => member !== leaver);
    assert.ok(network.run(2_000, () => others.every((member) => member.sees(leaver) === "left")));
    network.run(1_000);
    network.kill(leaver);
    network.run(30_000);
    for (const member of others) assert.equal(events(member, "dead"), 0);
  });
});

test("a mass restart with forgotten incarnations heals although the survivors remember deaths", () => {
  forSeeds((seed) => {
    const network = new SimulatedNetwork({ seed });
    const members = whole(network, 9);
    const [witness, ...rest] = members as [SimulatedMember, ...SimulatedMember[]];
    // A past of many refutations: the remembered deaths have high incarnations.
    for (const member of rest) {
      for (let i = 0; i < 20; i++) {
        const meta = Uint8Array.of(i);
        network.feed(member, { type: "announce", meta, endpoint: member.endpoint });
      }
    }
    network.run(5_000);
    for (const member of rest) network.kill(member);
    const allDead = () => rest.every((member) => witness.sees(member) === "dead");
    assert.ok(network.run(300_000, allDead), "the witness missed a death");
    for (const member of rest) network.restart(member, 0);
    // They find each other, but only one of them dials the witness.
    for (const member of rest.slice(1)) network.sync(member, rest[0]!.endpoint);
    network.sync(rest[0]!, witness.endpoint);
    assert.ok(
      network.run(15_000, () => network.isWhole()),
      "not healed",
    );
  });
});

test("a member restarted at once with its written incarnation is taken at its word", () => {
  forSeeds((seed) => {
    const network = new SimulatedNetwork({ seed });
    const members = whole(network, 6);
    const phoenix = members[2]!;
    const before = phoenix.writtenIncarnation;
    network.kill(phoenix);
    network.restart(phoenix);
    network.sync(phoenix, members[0]!.endpoint);
    assert.ok(network.run(2_000, () => network.isWhole()));
    network.run(30_000);
    assert.ok(network.isWhole());
    assert.equal(phoenix.writtenIncarnation, before + 1);
    for (const member of members) assert.equal(events(member, "dead"), 0);
  });
});

test("a moved member is accepted at its new address", () => {
  const network = new SimulatedNetwork({ seed: 3 });
  const members = whole(network, 5);
  const endpoint = { ip: "10.9.9.9", port: 7000 };
  network.kill(members[1]!);
  const { writtenIncarnation: incarnation } = members[1]!;
  const moved = network.add("n2", { key: "moved", endpoint, incarnation });
  network.feed(moved, { type: "tick" });
  network.sync(moved, members[0]!.endpoint);
  const known = () =>
    members
      .filter((member) => member.isUp)
      .every((member) => member.machine.member("n2")?.endpoint.ip === "10.9.9.9");
  assert.ok(network.run(5_000, known));
  network.run(30_000);
  assert.ok(known());
  for (const member of members) assert.equal(events(member, "conflict"), 0);
});

test("two living holders of one name are reported, and the name does not flap", () => {
  forSeeds((seed) => {
    const network = new SimulatedNetwork({ seed });
    const members = whole(network, 5);
    const original = members[1]!;
    const twin = network.add("n2", { key: "twin", incarnation: original.writtenIncarnation });
    network.feed(twin, { type: "tick" });
    network.sync(twin, members[0]!.endpoint);
    network.run(20_000);
    assert.ok(events(original, "conflict") + events(twin, "conflict") > 0, "no conflict seen");
    const bystanders = [members[0]!, members[2]!, members[3]!, members[4]!];
    const changes = () => bystanders.reduce((sum, member) => sum + events(member, "updated"), 0);
    const settled = changes();
    network.run(120_000);
    assert.equal(changes(), settled, "the name flaps");
    for (const member of bystanders) {
      assert.equal(member.machine.member("n2")?.endpoint.ip, original.endpoint.ip);
    }
  });
});

test("a broadcast reaches everybody", () => {
  forSeeds((seed) => {
    const network = new SimulatedNetwork({ seed });
    const members = whole(network, 4);
    const payload = Uint8Array.of(1, 2, 3);
    network.feed(members[0]!, { type: "broadcast", key: "k", payload });
    network.run(2_000);
    for (const member of members.slice(1)) {
      assert.ok(member.users.some((received) => received[2] === 3));
    }
  });
});

test("a starved member accuses nobody", () => {
  forSeeds((seed) => {
    const network = new SimulatedNetwork({ seed });
    const members = whole(network, 8);
    network.run(5_000);
    // It stands still for 20 s and then reads what it had been sent.
    network.standStill(members[0]!, 20_000);
    network.run(20_000);
    assert.ok(network.run(20_000, () => network.isWhole()));
    assert.equal(events(members[0]!, "dead"), 0);
  });
});

test("the same seed gives the same run", () => {
  const run = () => {
    const network = new SimulatedNetwork({ seed: 11, link: { loss: 0.1 } });
    const members = whole(network, 10);
    network.kill(members[5]!);
    network.run(60_000);
    return [network.packets, members.map((member) => member.events.length)];
  };
  assert.deepEqual(run(), run());
  assert.notEqual(seeded(1)(), seeded(2)());
});

test("after any kills, restarts, splits and losses a network made whole converges", () => {
  forSeeds(
    (seed) => {
      const network = new SimulatedNetwork({
        seed,
        link: { latency: { kind: "uniform", leastMs: 0.5, mostMs: 60 } },
      });
      const pick = (below: number) => Math.floor(network.random() * below);
      const members = whole(network, 3 + pick(14));
      for (let step = 0; step < 25; step++) {
        const member = members[pick(members.length)]!;
        const action = pick(6);
        if (action === 0 && member.isUp) network.kill(member);
        if (action === 1 && !member.isUp) {
          network.restart(member, pick(3) === 0 ? 0 : member.writtenIncarnation);
          network.sync(member, members[pick(members.length)]!.endpoint);
        }
        if (action === 2) for (const one of members) one.group = pick(2);
        if (action === 3) for (const one of members) one.group = 0;
        if (action === 4) network.link = { ...network.link, loss: pick(3) * 0.1 };
        if (action === 5) {
          const { endpoint } = member;
          network.feed(member, { type: "announce", meta: Uint8Array.of(step, seed), endpoint });
        }
        network.run(pick(20_000));
      }
      network.link = { ...network.link, loss: 0 };
      for (const member of members) {
        member.group = 0;
        if (member.isUp) continue;
        network.restart(member);
      }
      // The dialer's part, with the first for everybody's target: islands whose memories are lost know nothing of each other.
      const [first, second] = members as [SimulatedMember, SimulatedMember];
      for (const member of members) {
        const { machine } = member;
        const isLost = member !== first && machine.member(first.name) === undefined;
        if (machine.liveCount > 0 && !isLost) continue;
        network.sync(member, (member === first ? second : first).endpoint);
      }
      assert.ok(
        network.run(90_000, () => network.isWhole()),
        "not whole again",
      );
      network.run(60_000);
      assert.ok(network.isWhole(), "not whole for long");
      for (const member of members) {
        const [own] = member.machine.members();
        for (const other of members) {
          const held = other.machine.member(member.name);
          assert.equal(held?.incarnation, own?.incarnation, `${other.name} of ${member.name}`);
          assert.deepEqual(held?.meta, own?.meta);
        }
      }
    },
    Array.from({ length: 40 }, (_, index) => index + 100),
  );
});
