/**
 * The process `hansa ipam-plugin`: Docker's IPAM socket, the lease file and the control channel, and nothing else.
 *
 * Invariant: it answers Docker whatever else is up or down. It keeps its imports few, because dockerd waits for it at boot and
 * it lives on every host; its memory is the leases of one host.
 */
import { HansaError, isHansaError } from "../errors.ts";
import { systemClock } from "../host/clock.ts";
import { createLogger, type Logger } from "../host/logger.ts";
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
}

/** How long to wait before reading a lease file again that could not be read. */
const REOPEN_MS = 2000;

/**
 * Serves until SIGTERM or SIGINT, then exits with 0 and leaves the state as it is.
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

  const docker = createDockerIpam({
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
  await open();
  await listenUnix(docker, options.socket, { handed });
  logger.info("serving", { socket: options.socket, control: options.control, handed });
  await promise;
  docker.close();
  docker.closeAllConnections();
  control.close();
  logger.info("stopped");
  process.exit(0);
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
