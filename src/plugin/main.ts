/**
 * The process `hansa ipam-plugin`: Docker's IPAM socket, the lease file and the control channel, and nothing else.
 *
 * Invariant: it answers Docker whatever else is up or down. It keeps its imports few, because dockerd waits for it at boot and
 * it lives on every host; its memory is the leases of one host.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { HansaError, isHansaError } from "../errors.ts";
import { systemClock } from "../host/clock.ts";
import { createLogger, type Logger } from "../host/logger.ts";
import { listenReplaceable, type ReplaceableSocket } from "../host/replaceable-socket.ts";
import { handedSocket, listenUnix } from "../host/unix-listen.ts";
import { AddressDesk } from "./address-desk.ts";
import { ControlServer } from "./control-server.ts";
import { createDockerIpam } from "./docker-ipam-http.ts";
import { LeaseJournal } from "./lease-journal.ts";
import { mayHoldAddresses } from "./live-containers.ts";

export interface IpamPluginOptions {
  /** Docker's side, named in /etc/docker/plugins/hansa.spec. */
  readonly socket: string;
  /** The daemon's side. */
  readonly control: string;
  readonly stateDir: string;
  /** Where Docker attaches the containers that we give addresses to; default "hansa0". */
  readonly bridge?: string;
  /** For one request of Docker; default 8 500. */
  readonly deadlineMs?: number;
  /** A plugin that runs and is to end: it answers what it was asked, while new requests wait with us. */
  readonly predecessor?: Predecessor | undefined;
}

export interface Predecessor {
  hasEnded(): boolean;
  send(signal: "SIGTERM" | "SIGKILL"): void;
}

/** How long to wait before reading a lease file again that could not be read. */
const REOPEN_MS = 2000;
/** How long an answer that Docker waits for may hold up our end, or that of our predecessor. Above the deadline of a request. */
const DRAIN_MS = 9_500;

/**
 * Serves until SIGTERM or SIGINT; then answers what it was asked, exits with 0 and leaves the state as it is.
 * Throws SOCKET_TAKEN, or the system's error when a socket cannot be bound.
 */
export async function runIpamPlugin(options: IpamPluginOptions): Promise<never> {
  const logger = createLogger({ fields: { process: "ipam-plugin" } });
  const handed = handedSocket(process.env, process.pid);
  const control = new ControlServer(logger);
  let desk: AddressDesk | undefined;
  let failure = new HansaError("STATE_UNWRITABLE", "the lease file is not read yet");

  const open = async (): Promise<void> => {
    try {
      desk = new AddressDesk(new LeaseJournal(options.stateDir, { logger }), systemClock, control);
    } catch (error) {
      // Docker must hear why, so the process stays and tries again.
      if (!isHansaError(error)) throw error;
      failure = error;
      logger.error("the lease file cannot be used", { error });
      setTimeout(() => void open(), REOPEN_MS);
      return;
    }
    await control.listen(desk, options.control);
  };

  const opened = Promise.withResolvers<void>();
  const docker = createDockerIpam({
    opened: opened.promise,
    desk: () => {
      if (desk) return desk;
      throw failure;
    },
    logger,
    activated: () => {
      if (desk && !mayHoldAddresses(options.bridge ?? "hansa0")) forgetTheDead(desk, logger);
    },
    ...(options.deadlineMs === undefined ? {} : { deadlineMs: options.deadlineMs }),
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  process.once("SIGTERM", () => resolve());
  process.once("SIGINT", () => resolve());
  const { predecessor } = options;
  let socket: ReplaceableSocket | undefined;
  if (handed !== undefined) await listenUnix(docker.server, options.socket, { handed });
  else {
    const replaces = predecessor !== undefined;
    socket = await listenReplaceable(docker.server, options.socket, { replaces });
  }
  if (predecessor !== undefined) {
    await endPredecessor(predecessor);
    socket?.restore();
  }
  // Only now: two plugins must never write leases at once.
  await open();
  opened.resolve();
  logger.info("serving", { socket: options.socket, control: options.control, handed });
  await promise;
  // Who connected before a successor took our path over is still in the queue.
  await sleep(10);
  socket?.remove();
  await Promise.race([docker.drained(), sleep(DRAIN_MS)]);
  docker.server.closeAllConnections();
  control.close();
  logger.info("stopped");
  process.exit(0);
}

/** Asks it to end, and waits until it has: it answers first what Docker asked it. */
async function endPredecessor(predecessor: Predecessor): Promise<void> {
  predecessor.send("SIGTERM");
  const deadline = performance.now() + DRAIN_MS + 500;
  while (!predecessor.hasEnded()) {
    if (performance.now() > deadline) predecessor.send("SIGKILL");
    await sleep(5);
  }
}

/**
 * Ends all leases, when Docker greets us and no container lives.
 *
 * A dockerd that stopped while we were down could not tell us its releases, and would now be refused the fixed addresses of
 * its own containers. It greets us once, before it asks for any address.
 */
function forgetTheDead(desk: AddressDesk, logger: Logger): void {
  const freed = desk.free([...desk.book.leases.keys()]);
  if (freed > 0) logger.info("Docker started and no container lives: leases ended", { freed });
}
