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

/** Why the store could not do without the vote of `id`: STORE_LAST_VOTE, or STORE_REFUSED where those left would be no majority of themselves. */
export function lossWithout(voters: VoteFacts["voters"], id: NodeId): HansaError | undefined {
  if (!voters.some((voter) => voter.hasVote && voter.id === id)) return undefined;
  const left = voters.filter((voter) => voter.hasVote && voter.id !== id);
  if (left.length === 0) {
    return new HansaError("STORE_LAST_VOTE", `node ${id} has the store's only vote`);
  }
  const answering = left.filter(({ answers }) => answers).length;
  const needed = majorityOf(left.length);
  if (answering >= needed) return undefined;
  const text = `without node ${id}, ${answering} of ${left.length} votes answer and ${needed} would be needed`;
  return new HansaError("STORE_REFUSED", text, {
    hint: "bring back the votes that are missing (hansa store), or take those away first",
  });
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
  const rest = wanted.filter((each) => each !== id);
  const loss = lossWithout(voters, id);
  if (loss) {
    const hint =
      loss.code === "STORE_LAST_VOTE"
        ? "give another node a vote first: hansa vote give NODE"
        : loss.hint;
    throw new HansaError("STORE_REFUSED", loss.message, { hint });
  }
  if (rest.length === 0) {
    throw new HansaError("STORE_REFUSED", `only node ${id} is to have a vote`, {
      hint: "give another node a vote first: hansa vote give NODE",
    });
  }
  return rest;
}
