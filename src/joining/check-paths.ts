/**
 * The host's half of the check of ports: listens where the node will, echoes what members send, sends to their ports, and asks two of them what they saw.
 *
 * Invariants: nothing but the nonce of this check is echoed; every socket is closed when it ends.
 */
import { randomBytes, randomInt } from "node:crypto";
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer, type Server } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { JoinInfo } from "../api/join-info-schemas.ts";
import type { NodeClient } from "../client/node-client.ts";
import { HansaError, isHansaError } from "../errors.ts";
import type { Ports } from "../processes/node-file.ts";
import type { PathFact } from "./join-problems.ts";

export interface PathCheck {
  readonly info: JoinInfo;
  /** Those that this host's node will have. */
  readonly ports: Pick<Ports, "gossip" | "overlay" | "api">;
  /** Link 0 of this host where it was given. */
  readonly address: string | undefined;
  /** Where the node that was asked answered. */
  readonly asked: { readonly host: string; readonly port: number };
  readonly clientAt: (host: string, port: number) => NodeClient;
  /** One of so many, from 0: any, so that hosts which join at one time do not all ask the same. */
  readonly anyOf: (count: number) => number;
}

const NONCE_BYTES = 16;
const AGAIN_MS = 150;
const CONNECT_MS = 2_500;
/** Fifty hosts at once are looked at in less. */
const TURN_MS = 60_000;
/** From so many members, where there are so many. */
const MEMBERS = 2;

interface Member {
  readonly name: string;
  readonly host: string;
  readonly ports: JoinInfo["nodes"][number]["ports"];
  readonly apiPort: number;
}

/** What is open between this host and two members. Throws PORT_TAKEN. */
export async function checkPaths(check: PathCheck): Promise<PathFact[]> {
  const nonce = randomBytes(NONCE_BYTES);
  const { ports, info } = check;
  const hasRelay = info.encryption === "wireguard";
  const tcp = [ports.gossip, ports.api, ...(hasRelay ? [ports.overlay] : [])];
  const echoes = new Echoes(nonce);
  try {
    await echoes.listen(tcp, [ports.gossip, ports.overlay]);
    const found = await Promise.all(
      membersOf(check).map((member) => ofMember(member, check, nonce, echoes)),
    );
    return found.flat();
  } finally {
    echoes.close();
  }
}

/** The node that was asked, and another that is heard. */
function membersOf({ info, asked, anyOf }: PathCheck): Member[] {
  const heard = info.nodes.filter(({ isHeard }) => isHeard);
  const first = heard.filter(({ id }) => id === info.nodeId);
  const others = heard.filter(({ id }) => id !== info.nodeId);
  const from = others.length > 1 ? anyOf(others.length) : 0;
  return [...first, ...others.slice(from), ...others.slice(0, from)]
    .slice(0, MEMBERS)
    .map(({ id, name, address, ports }) =>
      id === info.nodeId
        ? { name, host: asked.host, ports, apiPort: asked.port }
        : { name, host: address, ports, apiPort: ports.api },
    );
}

async function ofMember(
  member: Member,
  { ports, info, address, clientAt }: PathCheck,
  nonce: Buffer,
  echoes: Echoes,
): Promise<PathFact[]> {
  const { name, host } = member;
  const hasRelay = info.encryption === "wireguard";
  const wanted = [member.ports.gossip, ...(hasRelay ? [member.ports.overlay] : [])];
  const stop = echoes.sendTo(host, [
    [ports.gossip, member.ports.gossip],
    [ports.overlay, member.ports.overlay],
  ]);
  try {
    const [asked, ...connected] = await Promise.all([
      ask(clientAt(host, member.apiPort), { ports, address, hasRelay, nonce }),
      ...wanted.map((port) => isReached(host, port)),
    ]);
    const from = { member: name, direction: "from-host", protocol: "tcp" } as const;
    return [
      { ...from, port: member.apiPort, isOpen: asked !== undefined },
      ...wanted.map((port, index) => ({ ...from, port, isOpen: connected[index] === true })),
      ...(asked ?? []).map((path) => ({ member: name, ...path })),
    ];
  } finally {
    stop();
  }
}

/** Undefined when the member cannot be asked from here. */
async function ask(
  client: NodeClient,
  {
    ports: { gossip, overlay, api },
    address,
    hasRelay,
    nonce,
  }: {
    readonly ports: PathCheck["ports"];
    readonly address: string | undefined;
    readonly hasRelay: boolean;
    readonly nonce: Buffer;
  },
): Promise<Omit<PathFact, "member">[] | undefined> {
  const request = {
    ...{ ports: { gossip, overlay, api }, hasRelay, nonce: nonce.toString("hex") },
    ...(address !== undefined && { address }),
  };
  try {
    return (await inTurn(() => client.checkJoiner(request))).paths;
  } catch (error) {
    const isAway =
      isHansaError(error, "CONTEXT_UNREACHABLE") || isHansaError(error, "NODE_NOT_RUNNING");
    // What else it says is a refusal of the node itself, which was reached then.
    if (!isAway) throw error;
    return undefined;
  }
}

/** A member looks at few hosts at a time; the others wait, each for a while of its own. */
async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const end = performance.now() + TURN_MS;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isHansaError(error, "JOINS_MANY") || performance.now() > end) throw error;
      await delay(randomInt(500, 2500));
    }
  }
}

function isReached(host: string, port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ host, port });
  const done = (isOpen: boolean): void => {
    clearTimeout(timer);
    socket.destroy();
    resolve(isOpen);
  };
  const timer = setTimeout(() => done(false), CONNECT_MS);
  socket.on("connect", () => done(true));
  socket.on("error", () => done(false));
  return promise;
}

/** Sockets at the node's ports that say the nonce back. */
class Echoes {
  readonly #nonce: Buffer;
  readonly #servers: Server[] = [];
  readonly #sockets = new Map<number, UdpSocket>();

  constructor(nonce: Buffer) {
    this.#nonce = nonce;
  }

  async listen(tcp: readonly number[], udp: readonly number[]): Promise<void> {
    for (const port of tcp) {
      const server = createServer((socket) => {
        let got: Buffer = Buffer.alloc(0);
        socket.on("error", () => socket.destroy());
        socket.on("data", (bytes: Buffer) => {
          got = Buffer.concat([got, bytes]);
          if (got.length < NONCE_BYTES) return;
          if (got.equals(this.#nonce)) socket.end(got);
          else socket.destroy();
        });
      });
      this.#servers.push(server);
      await listening(server, () => server.listen({ port }), `${port}/tcp`);
    }
    for (const port of udp) {
      const socket = createSocket({ type: "udp4" });
      this.#sockets.set(port, socket);
      socket.on("message", (bytes, { port: to, address }) => {
        if (bytes.equals(this.#nonce)) socket.send(bytes, to, address, () => undefined);
      });
      await listening(socket, () => socket.bind(port), `${port}/udp`);
    }
  }

  /** Sends the nonce from our ports to theirs until the returned function is called. */
  sendTo(host: string, pairs: readonly (readonly [own: number, theirs: number])[]): () => void {
    const send = (): void => {
      for (const [own, theirs] of pairs) {
        // A host that cannot be reached is what this finds out.
        this.#sockets.get(own)?.send(this.#nonce, theirs, host, () => undefined);
      }
    };
    const timer = setInterval(send, AGAIN_MS);
    send();
    return () => clearInterval(timer);
  }

  close(): void {
    for (const server of this.#servers) if (server.listening) server.close();
    for (const socket of this.#sockets.values()) socket.close();
  }
}

async function listening(
  emitter: Server | UdpSocket,
  begin: () => void,
  what: string,
): Promise<void> {
  const bound = once(emitter, "listening");
  begin();
  try {
    await bound;
  } catch (cause) {
    throw new HansaError("PORT_TAKEN", `port ${what} is held by another program`, { cause });
  }
  emitter.on("error", () => undefined);
}
