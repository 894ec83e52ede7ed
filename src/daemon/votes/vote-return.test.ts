import assert from "node:assert/strict";
import { test } from "node:test";
import { HansaError, isHansaError } from "../../errors.ts";
import type { StoreMember } from "../../store/voter-plan.ts";
import { memberName, memberOf, rosterWith } from "../status/status-facts.ts";
import type { VoterLink } from "./etcd-connections.ts";
import { returnVote, type VoteReturnParts } from "./vote-return.ts";

const OWN = 1n;

interface Scene {
  /** Ids of nodes with a vote; ours is 1. */
  readonly votes: readonly number[];
  readonly answering: readonly number[];
  /** Others that are heard. */
  readonly heard: readonly number[];
  /** So many looks find an etcd that does not answer yet. */
  readonly silentLooks?: number;
  /** Whether the cluster's records say that we are gone for good. */
  readonly isDeparted?: boolean;
}

function sceneOf({ votes, answering, heard, silentLooks = 0, isDeparted = false }: Scene) {
  const done: string[] = [];
  let silent = silentLooks;
  let members = votes.map((id): StoreMember => {
    const name = memberName({ id });
    return { id: BigInt(id), name, peerUrl: `https://10.32.0.${id}:9212`, isLearner: false };
  });
  const link = {
    store: {
      status: async () => {
        if (silent-- > 0) throw new HansaError("STORE_UNREACHABLE", "connection refused");
        const isLed = answering.length * 2 > votes.length;
        return { member: OWN, leader: isLed ? OWN : undefined };
      },
    },
    voters: {
      list: async () => {
        done.push("listed");
        return members;
      },
      remove: async (gone: bigint) => {
        members = members.filter(({ id }) => id !== gone);
        done.push(`removed ${gone}`);
      },
    },
  } as unknown as VoterLink;
  const departure = {
    id: 1,
    keyFingerprint: "11111111",
    cause: "taken-over",
    atSeconds: 9,
  } as const;
  const roster = {
    ...rosterWith(...heard.map((id) => memberOf({ id }))),
    expelled: isDeparted ? departure : undefined,
  };
  const parts: VoteReturnParts = {
    ...{ self: 1, patienceMs: 1000 },
    place: {
      link: async () => link,
      keep: async () => void done.push("kept"),
      end: async () => void done.push("ended"),
    },
    lead: {
      nodes: () =>
        [1, ...heard].map((id) => ({
          ...{ id, name: memberName({ id }), peerUrl: "", isHeard: true, isSteady: true },
          store: undefined,
        })),
      ask: async (id) =>
        answering.includes(id)
          ? { member: `${id}`, leader: "1", isLearner: false, applied: "1", bytes: 1, inUse: 1 }
          : undefined,
    },
    membership: {
      ...{ roster: () => roster, remembered: [] },
      setStore: (store) => void done.push(`says ${store?.id}`),
    },
  };
  return { parts, acts: () => done.filter((each) => each !== "kept" && each !== "listed"), done };
}

test("a vote that was given back is put away, and the node names no store from then on", async () => {
  const { parts, acts } = sceneOf({ votes: [1, 2], answering: [1, 2], heard: [2] });
  assert.equal(await returnVote(parts, false), undefined);
  assert.deepEqual(acts(), ["removed 1", "ended", "says undefined"]);
});

test("an etcd that was started just now is waited for", async () => {
  const scene = { votes: [1, 2, 3], answering: [1, 2, 3], heard: [2, 3], silentLooks: 2 };
  const { parts, acts } = sceneOf(scene);
  assert.equal(await returnVote(parts, false), undefined);
  assert.deepEqual(acts(), ["removed 1", "ended", "says undefined"]);
});

test("the only vote stays while others are heard, and so does one without which there is no majority, but by force", async () => {
  const only = sceneOf({ votes: [1], answering: [1], heard: [2] });
  await assert.rejects(returnVote({ ...only.parts, patienceMs: 0 }, false), (error) =>
    isHansaError(error, "STORE_LAST_VOTE"),
  );
  assert.equal(await returnVote(only.parts, true), undefined);
  const needed = sceneOf({ votes: [1, 2, 3], answering: [1, 2], heard: [2] });
  await assert.rejects(returnVote({ ...needed.parts, patienceMs: 0 }, false), (error) =>
    isHansaError(error, "STORE_REFUSED"),
  );
  assert.deepEqual([only.acts(), needed.acts()], [[], []]);
  assert.equal(await returnVote(needed.parts, true), undefined);
  assert.deepEqual(needed.acts(), ["removed 1", "ended", "says undefined"]);
});

test("who is alone ends the store with itself, and a majority that is gone already is told of, no more", async () => {
  const alone = sceneOf({ votes: [1], answering: [1], heard: [] });
  assert.equal(await returnVote(alone.parts, false), undefined);
  const lost = sceneOf({ votes: [1, 2, 3], answering: [1], heard: [4] });
  assert.match(
    (await returnVote({ ...lost.parts, patienceMs: 0 }, false)) ?? "",
    /could not be given back: STORE_NO_QUORUM/,
  );
  assert.deepEqual([alone.acts(), lost.acts()], [[], []]);
});

test("a node that is gone for good asks nobody: its part is put away, but for a store that is its alone", async () => {
  const left = { votes: [1, 2, 3], answering: [1], heard: [2, 3], isDeparted: true };
  for (const scene of [left, { ...left, silentLooks: 1000 }]) {
    const { parts, acts, done } = sceneOf(scene);
    assert.equal(await returnVote({ ...parts, patienceMs: 300 }, false), undefined);
    assert.deepEqual(acts(), ["ended", "says undefined"]);
    assert.ok(!done.includes("listed"));
  }
  const alone = sceneOf({ votes: [1], answering: [1], heard: [2], isDeparted: true });
  await assert.rejects(returnVote({ ...alone.parts, patienceMs: 0 }, false), (error) =>
    isHansaError(error, "STORE_LAST_VOTE"),
  );
  assert.deepEqual(alone.acts(), []);
});
