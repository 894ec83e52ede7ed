/**
 * The starter: root's ear for members of the group `hansa`, who may have it start and stop this host's node and nothing else.
 *
 * Invariants: one piece of work at a time, in the order of asking; a connection asks for one; who went away before its turn has nothing done; lines are bounded, and who does not speak is
 * sent away. What was asked and what came of it is in the log before the asker is answered.
 */
import { createServer, type Server, type Socket } from "node:net";
import { HansaError, isHansaError } from "../errors.ts";
import { type Fields, LineChannel, refusalOf } from "../host/line-channel.ts";
import type { Logger } from "../host/logger.ts";
import { shareWithGroup } from "../host/share-with-group.ts";
import { listenUnix } from "../host/unix-listen.ts";
import type { Left } from "../processes/reset.ts";
import type { ThisHost } from "../processes/this-host.ts";
import { parseAdmission } from "./admission.ts";
import { type Asker, type JoinMemory, startHere, stopHere } from "./start-here.ts";
import { parseStartRequest, parseStopRequest } from "./start-request.ts";

export interface StarterOptions {
  readonly host: ThisHost;
  /** Has the running daemon hand its addresses over and leave. */
  readonly leave: () => Promise<Left>;
  /** See `Asker.makeStore`. */
  readonly makeStore: (cluster: string) => Promise<void>;
  readonly logger: Logger;
  /** The socket that systemd handed over; then nothing is bound, and the path's owner is systemd's affair. */
  readonly handed?: number | undefined;
  /** Told when for this long nobody was connected and no work was under way. */
  readonly idle?: { readonly afterMs: number; readonly tell: () => void };
  /** How long a connection may say nothing at its begin; default 10 s. */
  readonly silenceMs?: number;
}

export interface Starter {
  close(): Promise<void>;
}

const GROUP = "hansa";
const MAX_CONNECTIONS = 16;
export const MAX_STARTER_LINE = 128 * 1024;
const SILENCE_MS = 10_000;
/** The asker asks a cluster, whose answer it awaits for half a minute. */
const ADMIT_MS = 60_000;

/** Listens on the host's starter socket, 0660 for the group. Throws SOCKET_TAKEN. */
export async function serveStarter(options: StarterOptions): Promise<Starter> {
  const { handed, host, idle } = options;
  const open = new Set<Socket>();
  let timer: NodeJS.Timeout | undefined;
  const restOrNot = (): void => {
    clearTimeout(timer);
    // Who asked may have gone away: what is being done for him is done to its end.
    if (idle && server.listening && open.size === 0 && !work.isBusy)
      timer = setTimeout(idle.tell, idle.afterMs);
  };
  const work = new Work(options, restOrNot);
  const server: Server = createServer((socket) => {
    open.add(socket);
    restOrNot();
    socket.once("close", () => {
      open.delete(socket);
      restOrNot();
    });
    work.take(socket);
  });
  server.maxConnections = MAX_CONNECTIONS;
  const { starterSocket } = host.paths;
  await listenUnix(server, starterSocket, { handed });
  if (handed === undefined) shareWithGroup(starterSocket, GROUP);
  restOrNot();
  return {
    async close() {
      clearTimeout(timer);
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}

class Work {
  readonly #options: StarterOptions;
  readonly #memory: JoinMemory = {};
  readonly #rests: () => void;
  #last: Promise<unknown> = Promise.resolve();
  #pieces = 0;

  /** `rests` is told when nothing is left to do. */
  constructor(options: StarterOptions, rests: () => void) {
    this.#options = options;
    this.#rests = rests;
  }

  get isBusy(): boolean {
    return this.#pieces > 0;
  }

  take(socket: Socket): void {
    let hasAsked = false;
    let isGone = false;
    const timer = setTimeout(() => socket.destroy(), this.#options.silenceMs ?? SILENCE_MS);
    const channel: LineChannel = new LineChannel(socket, {
      maxLineBytes: MAX_STARTER_LINE,
      note: () => channel.close(),
      closed: () => {
        isGone = true;
        clearTimeout(timer);
      },
      request: async (op, fields) => {
        clearTimeout(timer);
        if (hasAsked) throw new HansaError("USAGE", "one request a connection");
        hasAsked = true;
        const asker = askerBehind(channel, this.#options);
        return this.#inTurn(() => this.#logged(op, fields, asker, () => isGone));
      },
    });
  }

  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    this.#pieces += 1;
    const turn = this.#last.then(action);
    this.#last = turn
      .catch(() => {
        // Whoever asked is told; the next one's turn comes all the same.
      })
      .finally(() => {
        this.#pieces -= 1;
        if (!this.isBusy) this.#rests();
      });
    return turn;
  }

  async #logged(op: string, fields: Fields, asker: Asker, isGone: () => boolean): Promise<Fields> {
    const { logger } = this.#options;
    const asked = { operation: op.slice(0, 40), name: fields["name"], join: fields["join"] };
    try {
      if (isGone()) {
        throw new HansaError("STARTER_UNREACHABLE", "who asked for it went away before its turn");
      }
      const answer = await this.#perform(op, fields, asker);
      logger.info("done", asked);
      return answer;
    } catch (error) {
      const result = isHansaError(error) ? error.code : "INTERNAL";
      logger.warn("refused or failed", { ...asked, result, error });
      throw error;
    }
  }

  async #perform(op: string, fields: Fields, asker: Asker): Promise<Fields> {
    const { host, leave } = this.#options;
    if (op === "start") {
      const request = parseStartRequest(fields);
      const { already, node, notes } = await startHere(request, host, asker, this.#memory);
      const { id: nodeId, name, cluster, domain, ports } = node;
      return { already, nodeId, name, cluster, domain, apiPort: ports.api, notes };
    }
    if (op === "stop") {
      const { id, notes } = await stopHere(parseStopRequest(fields), host, leave, asker.progress);
      return { nodeId: id ?? null, notes };
    }
    throw new HansaError("USAGE", `the starter knows no ${JSON.stringify(op.slice(0, 40))}`);
  }
}

function askerBehind(
  channel: LineChannel,
  { makeStore }: Pick<StarterOptions, "makeStore">,
): Asker {
  return {
    makeStore,
    progress: (text) => channel.note("progress", { text }),
    async admit(question) {
      const answer = await channel.request("admit", { question }, ADMIT_MS);
      if (answer === undefined) {
        throw new HansaError("STARTER_UNREACHABLE", "who asked for the start went away");
      }
      if (!answer.ok) throw refusalOf(answer);
      return parseAdmission(answer.fields["admission"]);
    },
  };
}
