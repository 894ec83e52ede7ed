/**
 * The API for other machines: keeps its port, its certificate and its audit log.
 *
 * Invariants: a port that somebody else holds is said and tried again, and costs the node nothing else; the certificate names every address under
 * which the node is known now, and is made anew long before it ends, by the clock that it is given.
 */
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { type SecureContextOptions, TLSSocket } from "node:tls";
import { type Caller, callerOf, callerThrough } from "../../api/caller.ts";
import { CALLER_HEADER } from "../../api/caller-header.ts";
import type { Issued, IssueRequest } from "../../api/context-schemas.ts";
import { createApi } from "../../api/create-api.ts";
import { Gate } from "../../api/gate.ts";
import type { NodePort } from "../../api/node-port.ts";
import type { NodeRouting, UpgradeServer } from "../../api/node-routing.ts";
import { serveTls, type TlsListener } from "../../api/serve-tls.ts";
import type { StreamServer } from "../../api/stream-server.ts";
import { codedSentence } from "../../errors.ts";
import type { Clock } from "../../host/clock.ts";
import type { Logger } from "../../host/logger.ts";
import { type Authority, createAuthority, fromNow } from "../../identity/authority.ts";
import type { Identity } from "../../identity/identity.ts";
import type { NodeFile } from "../../processes/node-file.ts";
import type { CertificateBook } from "../membership/certificate-book.ts";
import type { AuditLog } from "./audit-log.ts";

export interface ControlPlaneOptions {
  readonly node: NodeFile;
  readonly identity: Identity;
  /** There at `begin`. */
  readonly answers: () => NodePort;
  readonly audit: AuditLog;
  /** Where requests for other nodes go; there at `begin`. */
  readonly routing?: (callerOf: CallerOfRequest) => NodeRouting;
  readonly book: Pick<CertificateBook, "revocationOf" | "serialFor" | "noteIssued" | "problem">;
  /** Serves streams into containers; asked at `begin`. */
  readonly streams?: (
    callerOf: CallerOfRequest,
    admit: (caller: Caller, request: IncomingMessage) => void,
  ) => StreamServer;
  /** Serves ways to the store, to other nodes; asked at `begin`. */
  readonly tunnels?: (callerOf: CallerOfRequest) => UpgradeServer;
  /** Addresses under which this node is reached now, without loopback. */
  readonly addresses: () => readonly string[];
  readonly clock: Clock;
  readonly logger: Logger;
}

type CallerOfRequest = (request: IncomingMessage) => Caller | undefined;

/** Between two tries for a port that is taken, and between two looks at the ages of our certificate and of those who are connected. */
const LISTEN_AGAIN_MS = 10_000;
const LOOK_MS = 3_600_000;
/** A certificate lives for a year; half a year on it is made anew. */
const RENEW_MS = 180 * 86_400_000;
/** Refusals of one address are told once in so long; what is refused without end must not fill the log. */
const REFUSAL_EVERY_MS = 60_000;
const MAX_REFUSALS = 1_024;
/** From a revocation to the end of connections: who revokes its own certificate is answered first. */
const SWEEP_MS = 300;

/** A node that was started for a domain is asked by that, and by no other name. */
function certificateNames({ name, domain }: NodeFile): string[] {
  return domain === undefined ? ["localhost", name] : [domain, "localhost"];
}

export class ControlPlane {
  readonly #options: ControlPlaneOptions;
  readonly #refusedMs = new Map<string, number>();
  readonly #callers = new WeakMap<Socket, Caller>();
  #leaf: Promise<SecureContextOptions> | undefined;
  readonly #gate: Gate;
  #listener: TlsListener | undefined;
  #problem: string | undefined;
  #minted: { readonly names: string; readonly atMs: number } | undefined;
  #cancel: () => void = () => undefined;
  #sweep: (() => void) | undefined;
  #isRenewing = false;
  #closed = false;

  constructor(options: ControlPlaneOptions) {
    this.#options = options;
    this.#gate = new Gate(
      (caller) => options.book.revocationOf(caller) ?? this.#expiry(caller),
      () => options.clock.monotonicMs(),
    );
  }

  /** Why other machines cannot ask this node, or what it cannot remember of their certificates, while that is so. */
  get problem(): string | undefined {
    return this.#problem ?? this.#options.book.problem;
  }

  /** Serves from now on, or as soon as the port is free. Never rejects. */
  async begin(): Promise<void> {
    const { node, answers, routing, audit, streams, tunnels, logger, clock } = this.#options;
    const app = createApi(answers(), {
      callerOf: (request) => this.#callerOf(request),
      gate: this.#gate,
      audit: (entry) => audit.note(entry),
      onDefect: (error, request) => logger.error("the API failed", { error: `${error}`, request }),
    });
    try {
      const listener = await serveTls(app, {
        port: node.ports.api,
        ...(routing && { routing: routing((request) => this.#admitted(request)) }),
        ...(streams && {
          streams: streams(
            (request) => this.#callerOf(request),
            (caller, { socket }) => this.#gate.admit(caller, socket),
          ),
        }),
        ...(tunnels && { tunnels: tunnels((request) => this.#admitted(request)) }),
        // Who was told of a certificate before anybody connected is to be shown that one.
        secureContext: () => (this.#isRenewing ? this.#mint() : this.secureContext()),
        refused: (from, why) => this.#refused(from, why),
      });
      if (this.#closed) await listener.close();
      else this.#listener = listener;
      this.#problem = undefined;
      this.#lookLater();
    } catch (error) {
      this.#problem = `${codedSentence(error)}, so other machines cannot ask this node`;
      logger.warn("the API is not served to other machines", { error: `${error}` });
      if (!this.#closed) this.#cancel = clock.after(LISTEN_AGAIN_MS, () => void this.begin());
    }
  }

  /** The node's addresses may be others now. Cheap while they are not. */
  changed(): void {
    // Nobody connected yet: the certificate is made when somebody does.
    if (this.#minted === undefined || this.#closed) return;
    const { clock, logger } = this.#options;
    const isOld = clock.wallMs() - this.#minted.atMs >= RENEW_MS;
    if (this.#isRenewing || (!isOld && this.#minted.names === this.#names())) return;
    this.#isRenewing = true;
    this.#listener
      ?.renew()
      .catch((error: unknown) => {
        logger.warn("no new certificate could be made", { error: `${error}` });
      })
      .finally(() => {
        this.#isRenewing = false;
      });
  }

  /** Certificates were called back: who stands in the door with one is put out soon. */
  revoked(): void {
    const { clock, logger } = this.#options;
    this.#sweep ??= clock.after(SWEEP_MS, () => {
      this.#sweep = undefined;
      const ended = this.#gate.sweep();
      if (ended > 0) logger.info("connections of revoked certificates were ended", { ended });
    });
  }

  /** A key and certificate for somebody outside of the cluster, which `by` asked for; the key is not kept here. Throws STATE_UNWRITABLE. */
  async issue(request: IssueRequest, by: string): Promise<Omit<Issued, "api">> {
    const { name, role, days } = request;
    const { book } = this.#options;
    const [signer] = await this.#authorities();
    if (signer === undefined) throw new RangeError("an identity has at least one root");
    const serial = book.serialFor(name);
    const leaf = await signer.mint({ names: [], name, addresses: [], role, days, serial });
    book.noteIssued(serial, request, by);
    return { ca: leaf.ca, certificate: leaf.certificate, privateKey: leaf.privateKey };
  }

  /** This node's certificate and key, to ask other nodes with, and the authorities to hold them against. Made at the first need. */
  secureContext(): Promise<SecureContextOptions> {
    return this.#leaf ?? this.#mint();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancel();
    this.#sweep?.();
    await this.#listener?.close();
  }

  /** Who asks for another node. Throws API_CERTIFICATE_REFUSED. */
  #admitted(request: IncomingMessage): Caller | undefined {
    const caller = this.#callerOf(request);
    if (caller) this.#gate.admit(caller, request.socket);
    return caller;
  }

  #callerOf({ socket, headers }: IncomingMessage): Caller | undefined {
    if (!(socket instanceof TLSSocket)) return undefined;
    const known = this.#callers.get(socket);
    const caller =
      known ?? callerOf(socket.getPeerCertificate(), socket.remoteAddress ?? "unknown");
    if (caller === undefined) return undefined;
    if (!known) this.#callers.set(socket, caller);
    return callerThrough(caller, headers[CALLER_HEADER]);
  }

  /** The handshake refuses an expired certificate; a connection may outlast it. As of revocations, nodes are not concerned. */
  #expiry({ name, role, untilMs }: Caller): string | undefined {
    if (untilMs === undefined || role === "node") return undefined;
    if (this.#options.clock.wallMs() < untilMs) return undefined;
    return `the certificate of ${name} ended at ${new Date(untilMs).toISOString()}`;
  }

  #lookLater(): void {
    this.#cancel = this.#options.clock.after(LOOK_MS, () => {
      this.#lookLater();
      this.#gate.sweep();
      this.changed();
    });
  }

  #mint(): Promise<SecureContextOptions> {
    const leaf = this.#mintAnew();
    this.#leaf = leaf;
    leaf.catch(() => {
      if (this.#leaf === leaf) this.#leaf = undefined;
    });
    return leaf;
  }

  async #mintAnew(): Promise<SecureContextOptions> {
    const { node, clock } = this.#options;
    const atMs = clock.wallMs();
    const names = this.#names();
    const authorities = await this.#authorities();
    const [signer] = authorities;
    if (signer === undefined) throw new RangeError("an identity has at least one root");
    const { certificate, privateKey } = await signer.mint({
      name: node.name,
      names: certificateNames(node),
      addresses: names.split(" "),
      role: "node",
    });
    this.#minted = { names, atMs };
    const ca = authorities.map((authority) => authority.certificate);
    return { key: privateKey, cert: certificate, ca };
  }

  /** The first signs; all are trusted. */
  #authorities(): Promise<Authority[]> {
    const { node, identity, clock } = this.#options;
    const dates = fromNow(() => clock.wallMs());
    return Promise.all(
      identity.roots.map(({ root }) => createAuthority(root, node.cluster, dates)),
    );
  }

  #names(): string {
    const { node, addresses } = this.#options;
    const given = node.certificateAddresses ?? [];
    return [...new Set(["127.0.0.1", "::1", ...addresses(), ...given])].join(" ");
  }

  #refused(from: string, why: string): void {
    const { clock, logger } = this.#options;
    const nowMs = clock.monotonicMs();
    const lastMs = this.#refusedMs.get(from);
    if (lastMs !== undefined && nowMs - lastMs < REFUSAL_EVERY_MS) return;
    if (this.#refusedMs.size >= MAX_REFUSALS) this.#refusedMs.clear();
    this.#refusedMs.set(from, nowMs);
    logger.warn("a connection to the API was refused", { from, why });
  }
}
