/**
 * Connections to the API of one other node: mutual TLS, kept open between requests.
 *
 * Invariant: nothing is sent before the other side showed a certificate of the cluster's authority with the role `node` and the node's name; a
 * connection stands within CONNECT_MS a place, or the request fails.
 */
import { Agent, type ClientRequestArgs } from "node:http";
import type { Duplex } from "node:stream";
import type { PeerCertificate, SecureContextOptions, TLSSocket } from "node:tls";
import { openTls } from "../../client/open-tls.ts";
import { type Endpoint, formatEndpoint } from "../../values/endpoint.ts";

/** For TCP and TLS together. */
const CONNECT_MS = 3_000;
/** Connections that wait for the next request; more are closed when they fall idle. */
const MAX_IDLE = 4;

export interface PeerDoorOptions {
  /** As its certificate must say it. */
  readonly name: string;
  /** Where the node's API may be reached now, tried in this order. */
  readonly places: () => readonly Endpoint[];
  /** This node's certificate and key, and the authorities that the other side is held against. */
  readonly secureContext: () => Promise<SecureContextOptions>;
}

/** One node's connections, for node:http. `keepAlive` off: one connection for each request. */
export class PeerDoor extends Agent {
  readonly #door: PeerDoorOptions;

  constructor(options: PeerDoorOptions, keepAlive: boolean) {
    super({ keepAlive, maxFreeSockets: MAX_IDLE, scheduling: "lifo" });
    this.#door = options;
  }

  override createConnection(
    _options: ClientRequestArgs,
    callback: (error: Error | null, socket: Duplex) => void,
  ): undefined {
    this.open().then(
      (socket) => callback(null, socket),
      // node:http looks at the error first, and wants no socket then.
      (error: Error) => (callback as (error: Error) => void)(error),
    );
  }

  /** Closes the connections that wait for the next request. */
  closeIdle(): void {
    for (const socket of Object.values(this.freeSockets).flat()) socket?.destroy();
  }

  /** A connection of the caller's own. */
  async open(): Promise<TLSSocket> {
    const { name, places, secureContext } = this.#door;
    const secure = await secureContext();
    const failures: string[] = [];
    for (const place of places()) {
      try {
        return await openPeer(place, name, secure);
      } catch (error) {
        failures.push(
          `${formatEndpoint(place)}: ${error instanceof Error ? error.message : error}`,
        );
      }
    }
    throw new Error(failures.length > 0 ? failures.join("; ") : "it tells no address");
  }
}

/** Why this certificate, which the authority signed, is not that of the node `name`; undefined when it is. */
export function wrongNode(
  certificate: Pick<PeerCertificate, "subject">,
  name: string,
): string | undefined {
  const { CN, OU } = certificate.subject ?? {};
  if (OU !== "node") return "what answers there is no node";
  return CN === name ? undefined : `the node ${CN} answers there, not ${name}`;
}

function openPeer(
  { ip, port }: Endpoint,
  name: string,
  secure: SecureContextOptions,
): Promise<TLSSocket> {
  // A node is known by its name, under whatever address it was found.
  const checkServerIdentity = (_host: string, certificate: PeerCertificate): Error | undefined => {
    const wrong = wrongNode(certificate, name);
    return wrong === undefined ? undefined : new Error(wrong);
  };
  return openTls({ host: ip, port, ...secure, checkServerIdentity }, CONNECT_MS);
}
