/** Whether a node may be given a vote, or lose it. Pure. */
import { HansaError } from "../errors.ts";
import type { NodeId } from "../values/node-id.ts";
import { MAX_VOTERS, majorityOf } from "./voter-plan.ts";

export interface VoteFacts {
  /** Of nodes that are to have a vote. */
  readonly wanted: readonly NodeId[];
  readonly voters: readonly {
    readonly id: NodeId;
    readonly hasVote: boolean;
    /** Its etcd follows the leader, or leads. */
    readonly answers: boolean;
  }[];
}

/** Who is to have a vote afterwards. Throws STORE_REFUSED. */
export function withVote({ wanted }: VoteFacts, id: NodeId): NodeId[] {
  if (wanted.includes(id)) return [...wanted];
  if (wanted.length < MAX_VOTERS) return [...wanted, id].sort((a, b) => a - b);
  const list = wanted.join(", ");
  throw new HansaError(
    "STORE_REFUSED",
    `${MAX_VOTERS} nodes are to have a vote already (${list}), and more are not possible`,
    { hint: "take one away first: hansa vote take NODE" },
  );
}

/** The same without it. Throws STORE_REFUSED for the last one, and where those left would be no majority of themselves. */
export function withoutVote({ wanted, voters }: VoteFacts, id: NodeId): NodeId[] {
  const left = voters.filter((voter) => voter.hasVote && voter.id !== id);
  const rest = wanted.filter((each) => each !== id);
  const hadOne = voters.some((voter) => voter.hasVote && voter.id === id);
  if (hadOne && left.length === 0) {
    throw new HansaError("STORE_REFUSED", `node ${id} has the store's only vote`, {
      hint: "give another node a vote first: hansa vote give NODE",
    });
  }
  const answering = left.filter(({ answers }) => answers).length;
  const needed = majorityOf(left.length);
  if (hadOne && answering < needed) {
    const text = `without node ${id}, ${answering} of ${left.length} votes answer and ${needed} would be needed`;
    throw new HansaError("STORE_REFUSED", text, {
      hint: "bring back the votes that are missing (hansa store), or take those away first",
    });
  }
  if (rest.length === 0) {
    throw new HansaError("STORE_REFUSED", `only node ${id} is to have a vote`, {
      hint: "give another node a vote first: hansa vote give NODE",
    });
  }
  return rest;
}
