import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  majorityOf,
  nextVoterStep,
  type StoreMember,
  type VoterFacts,
  type VoterNode,
  type VoterStep,
  WITNESS,
} from "./voter-plan.ts";

const STORE = { id: "a1", generation: 1 };
const url = (id: number): string => `https://10.32.0.${id}:9212`;
const name = (id: number, key = "0"): string => `${id}-${key.repeat(8)}`;

function node(id: number, different: Partial<VoterNode> = {}): VoterNode {
  const known = { id, name: name(id), peerUrl: url(id), isHeard: true, isSteady: true };
  return { ...known, store: undefined, ...different };
}

function member(id: number, different: Partial<StoreMember> = {}): StoreMember {
  return { id: BigInt(id), name: name(id), peerUrl: url(id), isLearner: false, ...different };
}

/** `voters` vote and run; `others` are nodes beside them. */
function facts(voters: readonly number[], different: Partial<VoterFacts> = {}): VoterFacts {
  return {
    store: STORE,
    members: voters.map((id) => member(id)),
    nodes: voters.map((id) => node(id, { store: STORE })),
    departed: new Set(),
    wanted: new Set([1, 2, 3, 4]),
    following: new Set(voters.map(BigInt)),
    inSync: new Set(),
    unable: new Set(),
    ...different,
  };
}

function short(step: VoterStep | undefined): string {
  if (step === undefined) return "nothing";
  return "member" in step ? `${step.step} ${step.member.id}` : `${step.step} ${step.node.id}`;
}

const one = facts([1]);

test("the lowest wanted node that is heard is added as a learner, others are not", () => {
  assert.equal(short(nextVoterStep(one)), "nothing");
  const nodes = [...one.nodes, node(5), node(3), node(2, { isHeard: false })];
  assert.equal(short(nextVoterStep({ ...one, nodes })), "add 3");
});

test("a node of another store is not added, and an eighth vote is not given", () => {
  const nodes = [...one.nodes, node(2, { store: { id: "b2", generation: 1 } })];
  assert.equal(short(nextVoterStep({ ...one, nodes })), "nothing");
  const seven = facts([1, 2, 3, 4, 5, 6, 7], { wanted: new Set([1, 2, 3, 4, 5, 6, 7, 8]) });
  assert.equal(short(nextVoterStep({ ...seven, nodes: [...seven.nodes, node(8)] })), "nothing");
});

test("a node that cannot take its vote holds nobody up, and is tried again when all others have theirs", () => {
  const nodes = [...one.nodes, node(2), node(3)];
  const learner = member(2, { name: "", isLearner: true });
  const stuck = { ...one, nodes, members: [...one.members, learner], unable: new Set([2]) };
  assert.equal(short(nextVoterStep(stuck)), "remove 2");
  // The program was installed meanwhile.
  assert.equal(short(nextVoterStep({ ...stuck, following: new Set([1n, 2n]) })), "start 2");
  assert.equal(short(nextVoterStep({ ...one, nodes, unable: new Set([2]) })), "add 3");
  const both = { ...stuck, unable: new Set([2, 3]) };
  assert.equal(short(nextVoterStep(both)), "start 2");
  const two = facts([1, 3], { unable: new Set([2]) });
  assert.equal(short(nextVoterStep({ ...two, nodes: [...two.nodes, node(2)] })), "add 2");
});

test("a learner is started, waited for, and gets its vote when it has all and every voter answers", () => {
  const members = [member(1), member(2, { name: "", isLearner: true })];
  const added = { ...one, members, nodes: [...one.nodes, node(2), node(3)] };
  assert.equal(short(nextVoterStep(added)), "start 2");
  const running: VoterFacts = {
    ...added,
    members: [member(1), member(2, { isLearner: true })],
    nodes: [...one.nodes, node(2, { store: STORE }), node(3)],
    following: new Set([1n, 2n]),
  };
  assert.equal(short(nextVoterStep(running)), "nothing");
  const whole = { ...running, inSync: new Set([2n]) };
  assert.equal(short(nextVoterStep(whole)), "promote 2");
  assert.equal(short(nextVoterStep({ ...whole, following: new Set([2n]) })), "nothing");
});

test("a learner that never started and whose node left the cluster makes room for the next one", () => {
  const members = [member(1), member(2, { name: "", isLearner: true })];
  const left = { ...one, members, departed: new Set([name(2)]) };
  assert.equal(short(nextVoterStep({ ...left, nodes: [...one.nodes, node(3)] })), "remove 2");
});

test("a learner whose node went away makes room for the next one", () => {
  const members = [member(1), member(2, { name: "", isLearner: true })];
  const nodes = [...one.nodes, node(2, { isHeard: false }), node(3)];
  assert.equal(short(nextVoterStep({ ...one, members, nodes })), "remove 2");
});

test("a voter that left, was wiped, or was launched anew loses its vote; one that is only away keeps it", () => {
  const three = facts([1, 2, 3]);
  const withThird = (third: VoterNode): VoterFacts => ({
    ...three,
    nodes: [...three.nodes.slice(0, 2), third],
    following: new Set([1n, 2n]),
  });
  assert.equal(
    short(nextVoterStep(withThird(node(3, { isHeard: false, store: STORE })))),
    "nothing",
  );
  assert.equal(short(nextVoterStep(withThird(node(3)))), "remove 3");
  assert.equal(short(nextVoterStep(withThird(node(3, { name: name(3, "f") })))), "remove 3");
  // It may be a twin that is about to lose the id.
  const newcomer = node(3, { name: name(3, "f"), isSteady: false });
  assert.equal(short(nextVoterStep(withThird(newcomer))), "nothing");
  assert.equal(short(nextVoterStep({ ...three, departed: new Set([name(3)]) })), "remove 3");
});

test("no vote is taken away that would leave less than a majority", () => {
  const three = facts([1, 2, 3], { departed: new Set([name(3)]), following: new Set([1n]) });
  assert.equal(short(nextVoterStep(three)), "nothing");
});

test("a voter that is to have no vote loses it, when the others are a majority; its node then puts its data away", () => {
  const three = facts([1, 2, 3], { wanted: new Set([1, 2]) });
  assert.equal(short(nextVoterStep(three)), "remove 3");
  assert.equal(short(nextVoterStep({ ...three, following: new Set([1n]) })), "nothing");
  const members = [member(1), member(2)];
  assert.equal(short(nextVoterStep({ ...three, members })), "end 3");
  const elsewhere = [...three.nodes.slice(0, 2), node(3, { store: { id: "b2", generation: 1 } })];
  assert.equal(short(nextVoterStep({ ...three, members, nodes: elsewhere })), "nothing");
});

test("a node of a former generation is as one that lost its data, and is not added before it says that it has none", () => {
  const store = { id: "a1", generation: 2 };
  const now = (generation: number) => node(3, { store: { id: "a1", generation } });
  const nodes = (third: VoterNode) => [node(1, { store }), node(2, { store }), third];
  const three = facts([1, 2, 3], { store, following: new Set([1n, 2n]) });
  assert.equal(short(nextVoterStep({ ...three, nodes: nodes(now(1)) })), "remove 3");
  const two = facts([1, 2], { store });
  assert.equal(short(nextVoterStep({ ...two, nodes: nodes(now(1)) })), "nothing");
  assert.equal(short(nextVoterStep({ ...two, nodes: nodes(node(3)) })), "add 3");
});

test("a voter that serves at another port is listed there", () => {
  const two = facts([1, 2]);
  const nodes = [
    node(1, { store: STORE }),
    node(2, { store: STORE, peerUrl: "https://10.32.0.2:1" }),
  ];
  const step = nextVoterStep({ ...two, nodes });
  assert.deepEqual(step, { step: "move", member: member(2), peerUrl: "https://10.32.0.2:1" });
});

test("whatever the facts, no step makes a second learner, a voter out of nothing, or a minority", () => {
  const ids = fc.uniqueArray(fc.integer({ min: 1, max: 8 }), { maxLength: 8 });
  const set = ids.map((list) => new Set(list.map(BigInt)));
  const arbitrary = fc.record({
    store: fc.constant(STORE),
    members: ids.chain((list) =>
      fc.tuple(...list.map((id) => fc.boolean().map((isLearner) => member(id, { isLearner })))),
    ),
    nodes: ids.chain((list) =>
      fc.tuple(
        ...list.map((id) =>
          fc
            .tuple(fc.boolean(), fc.constantFrom(undefined, STORE, { id: "b2", generation: 2 }))
            .map(([isHeard, store]) => node(id, { isHeard, store })),
        ),
      ),
    ),
    departed: ids.map((list) => new Set(list.map((id) => name(id)))),
    wanted: ids.map((list) => new Set(list)),
    following: set,
    inSync: set,
    unable: ids.map((list) => new Set(list)),
  });
  fc.assert(
    fc.property(arbitrary, (any) => {
      const step = nextVoterStep(any);
      const voters = any.members.filter(({ isLearner }) => !isLearner);
      const answer = (list: readonly StoreMember[]): number =>
        list.filter(({ id }) => any.following.has(id)).length;
      if (step?.step === "add") assert.ok(!any.members.some(({ isLearner }) => isLearner));
      if (step?.step === "promote") {
        assert.ok(step.member.isLearner && any.inSync.has(step.member.id));
        assert.equal(answer(voters), voters.length);
      }
      if (step?.step === "remove" && !step.member.isLearner) {
        const left = voters.filter(({ id }) => id !== step.member.id);
        assert.ok(left.length > 0 && answer(left) >= majorityOf(left.length));
      }
    }),
  );
});

const W_URL = "https://127.0.0.1:9213";
const witness = (different: Partial<VoterNode> = {}): VoterNode =>
  node(WITNESS, { name: "0-abababab", peerUrl: W_URL, ...different });
const witnessMember = (different: Partial<StoreMember> = {}): StoreMember =>
  member(99, { name: "0-abababab", peerUrl: W_URL, ...different });

test("the witness is added, after the nodes that are to come, while their votes are even", () => {
  const two = facts([1, 2]);
  const nodes = [...two.nodes, witness()];
  assert.equal(short(nextVoterStep({ ...two, nodes })), "add 0");
  assert.equal(short(nextVoterStep({ ...two, nodes: [...nodes, node(3)] })), "add 3");
  const three = facts([1, 2, 3]);
  assert.equal(
    short(nextVoterStep({ ...three, nodes: [...three.nodes, witness()] })),
    "nothing",
    "with odd votes",
  );
  const away = [...two.nodes, witness({ isHeard: false })];
  assert.equal(short(nextVoterStep({ ...two, nodes: away })), "nothing");
});

test("a witness' vote is taken once the votes of the nodes are odd, and while a node's is to come it stays", () => {
  const holds = witness({ store: STORE });
  const with3 = (different: Partial<VoterFacts>): VoterFacts => {
    const three = facts([1, 2, 3]);
    return {
      ...three,
      members: [...three.members, witnessMember()],
      nodes: [...three.nodes, holds],
      following: new Set([1n, 2n, 3n, 99n]),
      ...different,
    };
  };
  assert.equal(short(nextVoterStep(with3({}))), "remove 99");
  const fourth = node(4);
  assert.equal(short(nextVoterStep(with3({ nodes: [...with3({}).nodes, fourth] }))), "add 4");
  const learning = [...with3({}).members, member(4, { isLearner: true })];
  const nodes = [...with3({}).nodes, node(4, { store: STORE })];
  assert.equal(short(nextVoterStep(with3({ members: learning, nodes }))), "start 4");
  // Two of the nodes do not answer: what is left would be no majority.
  assert.equal(short(nextVoterStep(with3({ following: new Set([1n, 99n]) }))), "nothing");
});

test("a witness that was removed from the configuration goes, and puts its data away; one of a former generation begins anew", () => {
  const two = facts([1, 2]);
  const members = [...two.members, witnessMember()];
  assert.equal(short(nextVoterStep({ ...two, members })), "remove 99");
  const unstarted = [...two.members, witnessMember({ name: "", isLearner: true })];
  assert.equal(short(nextVoterStep({ ...two, members: unstarted })), "remove 99");
  const three = facts([1, 2, 3]);
  const idle = { ...three, nodes: [...three.nodes, witness({ store: STORE })] };
  assert.equal(short(nextVoterStep(idle)), "end 0");
  const anew = { ...two, store: { id: "a1", generation: 2 } };
  const nodes = anew.nodes.map((each) => ({ ...each, store: anew.store }));
  const former = { ...anew, nodes: [...nodes, witness({ store: STORE })], members };
  assert.equal(short(nextVoterStep(former)), "remove 99");
});

test("a node that cannot take its vote holds the witness up as little as others", () => {
  const two = facts([1, 2], { unable: new Set([3]) });
  assert.equal(
    short(nextVoterStep({ ...two, nodes: [...two.nodes, node(3), witness()] })),
    "add 0",
  );
  const stuck = [...two.members, witnessMember({ name: "", isLearner: true })];
  const nodes = [...two.nodes, node(3), witness()];
  const held = { ...two, members: stuck, nodes, unable: new Set([WITNESS]) };
  assert.equal(short(nextVoterStep(held)), "remove 99");
});

test("the last place of seven is a node's rather than the witness'", () => {
  const six = facts([1, 2, 3, 4, 5, 6], { wanted: new Set([1, 2, 3, 4, 5, 6, 7]) });
  const full = {
    ...six,
    members: [...six.members, witnessMember()],
    nodes: [...six.nodes, witness({ store: STORE }), node(7)],
  };
  assert.equal(short(nextVoterStep(full)), "remove 99");
});

test("from whatever is there, with all of it heard, the plan comes to rest, with odd votes wherever a witness makes them so", () => {
  const ids = fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(ids, ids, fc.boolean(), (voters, present, isIn) => {
      const all = [...new Set([...voters, ...present])];
      const wanted = new Set(all);
      let members = voters.map((id) => member(id));
      if (isIn) members = [...members, witnessMember()];
      for (let steps = 0; ; steps++) {
        assert.ok(steps < 60, "it comes to no rest");
        const holding = (name: string): boolean => members.some((each) => each.name === name);
        const known = [...all.map((id) => node(id)), witness()];
        const nodes = known.map((each) => (holding(each.name) ? { ...each, store: STORE } : each));
        const every = new Set(members.map(({ id }) => id));
        const none = { departed: new Set<string>(), unable: new Set<number>() };
        const rest = { store: STORE, ...none, wanted, nodes, members };
        const step = nextVoterStep({ ...rest, following: every, inSync: every });
        if (step === undefined) break;
        if (step.step === "add") {
          const { id, name: called, peerUrl } = step.node;
          const added = { id: id === WITNESS ? 99n : BigInt(id), name: called, peerUrl };
          members = [...members, { ...added, isLearner: true }];
        } else if (step.step === "remove") {
          members = members.filter(({ id }) => id !== step.member.id);
        } else if (step.step === "promote") {
          members = members.map((each) =>
            each.id === step.member.id ? { ...each, isLearner: false } : each,
          );
        } else assert.fail(`no ${step.step} is needed`);
      }
      const votes = members.filter(({ isLearner }) => !isLearner);
      assert.equal(votes.length % 2, 1);
      assert.ok(all.every((id) => votes.some((each) => each.id === BigInt(id))));
    }),
  );
});
