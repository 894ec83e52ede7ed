/** Asking this host's starter: what the command line of a plain user does. */
import { connect, type Socket } from "node:net";
import { HansaError, isErrno } from "../errors.ts";
import { type Fields, LineChannel, refusalOf } from "../host/line-channel.ts";
import type { Admission, JoinQuestion } from "./admission.ts";
import { MAX_STARTER_LINE } from "./serve-starter.ts";
import type { StartRequest, StopRequest } from "./start-request.ts";

/** The node as the starter made or found it. */
export interface StartedNode {
  readonly already: boolean;
  readonly id: number;
  readonly name: string;
  readonly cluster: string;
  readonly domain: string | undefined;
  readonly apiPort: number;
  readonly notes: readonly string[];
}

export interface StoppedNode {
  readonly id: number | undefined;
  readonly notes: readonly string[];
}

export interface Answers {
  readonly progress: (text: string) => void;
  /** Has the cluster that is to be joined admit this host; called for a join only. */
  readonly admit: (question: JoinQuestion) => Promise<Admission>;
}

/** A join, a launch and a daemon's start, with a queue before them. */
const START_MS = 180_000;
const STOP_MS = 180_000;

/**
 * Has the starter behind `socketPath` start this host's node. Throws STARTER_UNREACHABLE, GROUP_REQUIRED, what `admit` rejects with, and what the
 * starter refuses with.
 */
export async function askToStart(
  socketPath: string,
  request: StartRequest,
  answers: Answers,
): Promise<StartedNode> {
  const fields = await ask(socketPath, "start", { ...request }, answers, START_MS);
  const { already, nodeId, name, cluster, domain, apiPort, notes } = fields;
  return {
    already: already === true,
    id: Number(nodeId),
    name: String(name),
    cluster: String(cluster),
    domain: typeof domain === "string" ? domain : undefined,
    apiPort: Number(apiPort),
    notes: Array.isArray(notes) ? notes.map(String) : [],
  };
}

/** Has the starter stop this host's node. Throws as `askToStart`. */
export async function askToStop(
  socketPath: string,
  request: StopRequest,
  progress: (text: string) => void,
): Promise<StoppedNode> {
  const admit = (): never => {
    throw new HansaError("USAGE", "nothing is joined by a stop");
  };
  const answers = { progress, admit: async () => admit() };
  const { nodeId, notes } = await ask(socketPath, "stop", { ...request }, answers, STOP_MS);
  return {
    id: typeof nodeId === "number" ? nodeId : undefined,
    notes: Array.isArray(notes) ? notes.map(String) : [],
  };
}

async function ask(
  socketPath: string,
  op: string,
  fields: Fields,
  { progress, admit }: Answers,
  timeoutMs: number,
): Promise<Fields> {
  // What the cluster refused with reaches the starter as a code and a sentence; here it is known whole.
  let refusal: unknown;
  const channel = new LineChannel(await opened(socketPath), {
    maxLineBytes: MAX_STARTER_LINE,
    note: (name, { text }) => {
      if (name === "progress") progress(String(text));
    },
    closed: () => undefined,
    async request(_op, { question }) {
      try {
        return { admission: await admit(question as JoinQuestion) };
      } catch (error) {
        refusal = error;
        throw error;
      }
    },
  });
  try {
    const answer = await channel.request(op, fields, timeoutMs);
    if (refusal !== undefined) throw refusal;
    if (answer === undefined) {
      throw new HansaError(
        "STARTER_UNREACHABLE",
        "the starter of this host ended or did not answer",
      );
    }
    if (!answer.ok) throw refusalOf(answer);
    return answer.fields;
  } finally {
    channel.close();
  }
}

function opened(socketPath: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    socket.once("connect", () => resolve(socket));
    socket.once("error", (error) => reject(inOurWords(error)));
  });
}

function inOurWords(error: Error): Error {
  if (["ENOENT", "ECONNREFUSED", "ENOTDIR"].some((errno) => isErrno(error, errno))) {
    const text = "nobody on this host starts a node for you: hansa install was not run on it";
    return new HansaError("STARTER_UNREACHABLE", text, { cause: error });
  }
  if (isErrno(error, "EACCES") || isErrno(error, "EPERM")) {
    const text = "you are no member of the group hansa, whose members may start a node";
    return new HansaError("GROUP_REQUIRED", text, { cause: error });
  }
  return error;
}
