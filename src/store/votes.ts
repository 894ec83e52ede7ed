/**
 * What the store itself says of its votes: who is to have one, and who was given one. Pure.
 *
 * Invariant: what cannot be read is as if it were not there: the default then stands, and nobody loses a vote that the default gives.
 */
import { MAX_NODE_ID, type NodeId } from "../values/node-id.ts";
import { FIRST_VOTERS, MAX_VOTERS, type StoreMember } from "./voter-plan.ts";

/** Of both below. */
export const VOTES_PREFIX = "cluster/votes/";
/** A list of ids, written by `hansa vote`. */
export const WANTED_KEY = `${VOTES_PREFIX}wanted`;
/** Who has a vote, as whoever leads last saw it: for those that have nothing of the store but a copy. */
export const GIVEN_KEY = `${VOTES_PREFIX}given`;

export interface GivenVotes {
  /** The members' names in gossip. */
  readonly voters: readonly string[];
  /** It had a second vote once. */
  readonly hasGrown: boolean;
}

export const NO_VOTES: GivenVotes = { voters: [], hasGrown: false };

const MAX_BYTES = 4096;
/** Of nodes, and of the witness, which has number 0. */
const MEMBER = /^(0|[1-9]\d{0,4})-[0-9a-f]{8}$/;

/** Who is to have a vote; 1 to 4 where the store says nothing. */
export function wantedIn(value: Uint8Array | undefined): NodeId[] {
  const list = value && jsonOf(value);
  const isGood =
    Array.isArray(list) && list.length > 0 && list.length <= MAX_VOTERS && list.every(isNodeId);
  return isGood ? [...new Set(list)].sort((a, b) => a - b) : [...FIRST_VOTERS];
}

export function encodeWanted(ids: readonly NodeId[]): Uint8Array {
  return bytesOf(JSON.stringify([...new Set(ids)].sort((a, b) => a - b)));
}

export function givenIn(value: Uint8Array | undefined): GivenVotes {
  const fields = value && jsonOf(value);
  if (typeof fields !== "object" || fields === null) return NO_VOTES;
  const { voters, hasGrown } = fields as Record<string, unknown>;
  const isGood =
    Array.isArray(voters) && voters.length <= 64 && voters.every((name) => MEMBER.test(`${name}`));
  return isGood ? { voters: voters.map(String), hasGrown: hasGrown === true } : NO_VOTES;
}

export function encodeGiven({ voters, hasGrown }: GivenVotes): Uint8Array {
  return bytesOf(JSON.stringify({ voters: [...voters].sort(), hasGrown }));
}

/** What is to be written of these members after what is written; undefined when that is it. */
export function nextGiven(
  members: readonly StoreMember[],
  written: GivenVotes,
): GivenVotes | undefined {
  const voters = members
    .filter(({ isLearner, name }) => !isLearner && MEMBER.test(name))
    .map(({ name }) => name)
    .sort();
  const hasGrown = written.hasGrown || voters.length > 1;
  const isWritten =
    hasGrown === written.hasGrown && voters.join() === [...written.voters].sort().join();
  return isWritten ? undefined : { voters, hasGrown };
}

function isNodeId(value: unknown): value is NodeId {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= MAX_NODE_ID;
}

function jsonOf(bytes: Uint8Array): unknown {
  if (bytes.length > MAX_BYTES) return undefined;
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
