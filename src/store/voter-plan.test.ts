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
