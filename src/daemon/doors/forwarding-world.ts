/**
 * For the tests of forwarding: nodes with an API on a port and on a socket each, who know of each other what `known` says, as gossip would have it. Certificates are real.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import type { Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../../test/free-port.ts";
import { LOCAL_CALLER } from "../../api/caller.ts";
import { createApi } from "../../api/create-api.ts";
import { FakeNode } from "../../api/fake-node.ts";
import { serveUnix, type UnixListener } from "../../api/serve-unix.ts";
import { unixDoor } from "../../client/door.ts";
import { apiClient, type NodeClient } from "../../client/node-client.ts";
import { ManualClock } from "../../host/clock.ts";
import { createLogger } from "../../host/logger.ts";
import { createAuthority, type Leaf } from "../../identity/authority.ts";
import { CertificateBook } from "../membership/certificate-book.ts";
import type { Roster } from "../membership/roster.ts";
import { AuditLog } from "./audit-log.ts";
import { ControlPlane } from "./control-plane.ts";
import { NodeForwarding } from "./node-forwarding.ts";
import { PeerRequests } from "./peer-requests.ts";

const ROOT = randomBytes(32);

export interface Member {
  readonly id: number;
  readonly node: FakeNode;
  readonly plane: ControlPlane;
  readonly peers: PeerRequests;
  readonly client: (node?: string) => NodeClient;
  readonly socket: string;
  readonly audit: () => Promise<string>;
  readonly book: CertificateBook;
}

export interface Answer {
  readonly status: number | undefined;
  readonly text: string;
}

export class ForwardingWorld implements AsyncDisposable {
  /** All that is known of the nodes. */
  readonly known = new Map<number, { name: string; port: number; state: string }>();
  /** To any other node; none where there is no choice. */
  links: { theirs: string; state: "up" | "down"; inUse: boolean }[] = [];
  readonly folder: string;
  /** Called at the end, the last first. */
  readonly closers: (() => unknown)[] = [];

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async open(): Promise<ForwardingWorld> {
    return new ForwardingWorld(await mkdtemp(join(tmpdir(), "hansa-forward-")));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const close of this.closers.splice(0).reverse()) await close();
    await rm(this.folder, { recursive: true });
  }

  /** A node that knows the others from now on. */
  async member(id: number): Promise<Member> {
    const name = `host${id}`;
    const port = await freePort();
    this.known.set(id, { name, port, state: "alive" });
    const logger = createLogger({ write: () => undefined });
    const node = new FakeNode();
    node.current = { ...node.current, node: { ...node.current.node, id, name } };
    const auditPath = join(this.folder, `audit-${id}`);
    const audit = new AuditLog(auditPath, logger);
    const peers = new PeerRequests({
      self: id,
      roster: () => this.#rosterWithout(id),
      remembered: () => [],
      inside: () => undefined,
      roundabout: () => undefined,
      reachedAt: () => this.links.find(({ inUse }) => inUse)?.theirs,
      links: () => this.links,
      secureContext: () => plane.secureContext(),
      nowMs: () => 130_000,
    });
    const forwarding = new NodeForwarding({ self: { id, name }, peers });
    const clock = new ManualClock(Date.now());
    const book = await CertificateBook.load({
      ...{ path: join(this.folder, `certificates-${id}`), self: id, clock, logger },
      tell: () => undefined,
      revoked: () => {
        plane.revoked();
        clock.advance(1_000);
      },
    });
    const keys = { privateKey: "", publicKey: "" };
    const plane = new ControlPlane({
      node: {
        ...{
          version: 1,
          id,
          name,
          cluster: "test",
          subnet: "10.32.0.0/12",
          targets: [],
          links: [],
        },
        ...{ ports: { gossip: 1, overlay: 2, api: port }, encryption: "wireguard" },
      },
      identity: {
        roots: [{ root: ROOT, since: "2026-01-01T00:00:00Z" }],
        ...{ nodeKey: keys, wireguard: keys, binding: 0 },
      },
      answers: () => node,
      routing: (callerOf) => forwarding.routing(callerOf),
      ...{ audit, logger, addresses: () => [], clock, book },
    });
    await plane.begin();
    const socket = join(this.folder, `${id}.sock`);
    const listener: UnixListener = await serveUnix(
      createApi(node, { audit: (entry) => audit.note(entry) }),
      { path: socket, routing: forwarding.routing(() => LOCAL_CALLER) },
    );
    this.closers.push(async () => {
      await listener.close();
      await plane.close();
      peers.close();
    });
    return {
      ...{ id, node, plane, peers, socket, book },
      client: (other) => apiClient(unixDoor(socket), other),
      audit: () => readFile(auditPath, "utf8").catch(() => ""),
    };
  }

  async leaf(name: string, role: "viewer" | "admin" | "node"): Promise<Leaf> {
    const authority = await createAuthority(ROOT, "test");
    return authority.mint({ names: [], name, addresses: ["127.0.0.1"], role });
  }

  /** Asks node `id` over its port with a certificate. */
  async ask(
    id: number,
    by: Leaf,
    path: string,
    more: { readonly method?: string; readonly body?: unknown; readonly headers?: object } = {},
  ): Promise<Answer> {
    const { method = "GET", body, headers = {} } = more;
    const asked = request({
      ...{ host: "127.0.0.1", port: this.known.get(id)?.port, path, method, agent: false },
      ...{ key: by.privateKey, cert: by.certificate, ca: by.ca, headers: { ...headers } },
    });
    asked.end(body === undefined ? undefined : JSON.stringify(body));
    const [response] = (await once(asked, "response")) as [IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk);
    return { status: response.statusCode, text: Buffer.concat(chunks).toString() };
  }

  /** The port of a server that ends with the test, its connections with it. */
  async served(server: Server, address = "127.0.0.1"): Promise<number> {
    const open = new Set<{ destroy(): void }>();
    server.on("connection", (socket) => open.add(socket));
    server.listen(0, address);
    await once(server, "listening");
    this.closers.push(() => {
      for (const socket of open) socket.destroy();
      server.close();
    });
    return (server.address() as { port: number }).port;
  }

  #rosterWithout(self: number): Roster {
    const peers = [...this.known]
      .filter(([id]) => id !== self)
      .map(([id, { name, port, state }]) => ({
        member: { state, sinceMs: 0, endpoint: { ip: "127.0.0.1", port: 6783 } },
        metadata: { id, name, ports: { api: port } },
      }));
    return { peers } as unknown as Roster;
  }
}
