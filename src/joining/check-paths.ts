/**
 * The host's half of the check of ports: listens where the node will, echoes what members send, sends to their ports, and asks two of them what they saw; on each
 * link that the host is to have.
 *
 * Invariants: nothing but the nonces of this check are echoed; each way has a nonce of its own, so that what passed on one link counts for no other; every socket
 * is closed when it ends.
 */
import { randomBytes, randomInt } from "node:crypto";
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer, isIPv6, type Server } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { JoinInfo } from "../api/join-info-schemas.ts";
import type { NodeClient } from "../client/node-client.ts";
import { HansaError, isErrno, isHansaError } from "../errors.ts";
import type { Ports } from "../processes/node-file.ts";
import { isWithoutIpv6 } from "../processes/taken-ports.ts";
import type { NodeLink } from "../values/node-link.ts";
import type { PathFact } from "./join-problems.ts";

export interface PathCheck {
  readonly info: JoinInfo;
  /** Those that this host's node will have. */
  readonly ports: Pick<Ports, "gossip" | "overlay" | "api">;
  /** Those of this host that were given and are its own; undefined: none were given, and the address that members see is looked at. */
  readonly links: readonly NodeLink[] | undefined;
  /** Where the node that was asked answered. */
  readonly asked: { readonly host: string; readonly port: number };
  readonly clientAt: (host: string, port: number) => NodeClient;
  /** All that a name has, as IP literals; of a literal itself. Throws CONTEXT_UNREACHABLE where it cannot be resolved. */
  readonly addressesOf: (host: string) => Promise<readonly string[]>;
  /** One of so many, from 0: any, so that hosts which join at one time do not all ask the same. */
  readonly anyOf: (count: number) => number;
}

const NONCE_BYTES = 16;
/** Few datagrams, and who asks waits for the next one: the member may have begun to count just after the last. */
const AGAIN_MS = 50;
const CONNECT_MS = 2_500;
/** Fifty hosts at once are looked at in less. */
const TURN_MS = 60_000;
/** From so many members, where there are so many. */
const MEMBERS = 2;

interface Member {
  readonly name: string;
  /** Where it is asked. */
  readonly host: string;
  readonly links: JoinInfo["nodes"][number]["links"];
  readonly ports: JoinInfo["nodes"][number]["ports"];
  readonly apiPort: number;
}

/** One link between this host and a member. */
interface Way {
  /** Undefined where no links were given. */
  readonly link: number | undefined;
  /** This host's address; undefined: as the member sees it. */
  readonly own: string | undefined;
  /** The member's, as an IP literal. */
  readonly theirs: string;
  /** The member is asked at that very place, so that its answer shows that its API is reached. */
  readonly isWhereAsked: boolean;
  readonly nonce: Buffer;
}

/** What is open between this host and two members, on each link. Throws PORT_TAKEN and CONTEXT_UNREACHABLE. */
export async function checkPaths(check: PathCheck): Promise<PathFact[]> {
  const { ports, info } = check;
  const hasRelay = info.encryption === "wireguard";
  const tcp = [ports.gossip, ports.api, ...(hasRelay ? [ports.overlay] : [])];
  const members = await Promise.all(
    membersOf(check).map(async (member) => ({ member, ways: await waysTo(member, check) })),
  );
  const ways = members.flatMap((each) => each.ways);
  const echoes = new Echoes(ways.map(({ nonce }) => nonce));
  try {
    // A host whose own address is IPv4 is looked for there only, and need not have IPv6.
    const hasIpv6 = ways.some(({ own, theirs }) => isIPv6(own ?? theirs));
    await echoes.listen(tcp, [ports.gossip, ports.overlay], hasIpv6);
    const found = await Promise.all(
      members.flatMap(({ member, ways: own }) =>
        own.map((way) => onWay(member, way, check, echoes)),
      ),
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
    .map(({ id, name, address, links, ports }) =>
      id === info.nodeId
        ? { name, links, host: asked.host, ports, apiPort: asked.port }
        : { name, links, host: address, ports, apiPort: ports.api },
    );
}

/** One for each link that both have; a link that one of them lacks is told of elsewhere. Throws CONTEXT_UNREACHABLE for a name that has no address any more. */
async function waysTo(
  { host, links: theirs }: Member,
  { links, addressesOf }: PathCheck,
): Promise<Way[]> {
  const askedAt = gossipedAt(await addressesOf(host));
  if (askedAt === undefined) {
    throw new HansaError("CONTEXT_UNREACHABLE", `${host} has no address`);
  }
  if (links === undefined) {
    const way = { link: undefined, own: undefined, theirs: askedAt, isWhereAsked: true };
    return [{ ...way, nonce: newNonce() }];
  }
  return links.flatMap(({ number, address }): Way[] => {
    const other = theirs.find((link) => link.number === number);
    // A member that was launched without links has one all the same, where it is reached.
    const place = other?.address ?? (number === 0 && theirs.length === 0 ? askedAt : undefined);
    if (place === undefined) return [];
    const isWhereAsked = place === askedAt;
    return [{ link: number, own: address, theirs: place, isWhereAsked, nonce: newNonce() }];
  });
}

/** Every node listens on its IPv4 addresses, and on those of IPv6 only where a link has one: so gossip, too, begins with the former. */
function gossipedAt(addresses: readonly string[]): string | undefined {
  return addresses.find((address) => !isIPv6(address)) ?? addresses[0];
}

function newNonce(): Buffer {
  return randomBytes(NONCE_BYTES);
}

async function onWay(
  member: Member,
  { link, own, theirs, isWhereAsked, nonce }: Way,
  { ports, info, clientAt }: PathCheck,
  echoes: Echoes,
): Promise<PathFact[]> {
  const hasRelay = info.encryption === "wireguard";
  const wanted = [
    ...(isWhereAsked ? [] : [member.apiPort]),
    member.ports.gossip,
    ...(hasRelay ? [member.ports.overlay] : []),
  ];
  const stop = echoes.sendTo(theirs, nonce, [
    [ports.gossip, member.ports.gossip],
    [ports.overlay, member.ports.overlay],
  ]);
  try {
    const [asked, ...connected] = await Promise.all([
      ask(clientAt(member.host, member.apiPort), { ports, address: own, hasRelay, nonce }),
      ...wanted.map((port) => isReached(theirs, port)),
    ]);
    const which = { member: member.name, ...(link !== undefined && { link }) };
    const from = { ...which, direction: "from-host", protocol: "tcp" } as const;
    const api = { ...from, port: member.apiPort, isOpen: asked !== undefined };
    return [
      ...(isWhereAsked ? [api] : []),
      ...wanted.map((port, index) => ({ ...from, port, isOpen: connected[index] === true })),
      ...(asked ?? []).map((path) => ({ ...which, ...path })),
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

/** Sockets at the node's ports that say a nonce of this check back. */
class Echoes {
  readonly #nonces: readonly Buffer[];
  readonly #servers: Server[] = [];
  /** Those that are bound. */
  readonly #sockets: { readonly port: number; readonly isIpv6: boolean; socket: UdpSocket }[] = [];

  constructor(nonces: readonly Buffer[]) {
    this.#nonces = nonces;
  }

  async listen(tcp: readonly number[], udp: readonly number[], hasIpv6: boolean): Promise<void> {
    for (const port of tcp) {
      const server = createServer((socket) => {
        let got: Buffer = Buffer.alloc(0);
        socket.on("error", () => socket.destroy());
        socket.on("data", (bytes: Buffer) => {
          got = Buffer.concat([got, bytes]);
          if (got.length < NONCE_BYTES) return;
          if (this.#isOurs(got)) socket.end(got);
          else socket.destroy();
        });
      });
      this.#servers.push(server);
      await listening(server, () => server.listen({ port }), `${port}/tcp`);
    }
    for (const port of udp) {
      await this.#bind(port, false);
      if (hasIpv6) await this.#bind(port, true);
    }
  }

  async #bind(port: number, isIpv6: boolean): Promise<void> {
    const socket = createSocket(isIpv6 ? { type: "udp6", ipv6Only: true } : { type: "udp4" });
    socket.on("message", (bytes, { port: to, address }) => {
      if (this.#isOurs(bytes)) socket.send(bytes, to, address, () => undefined);
    });
    try {
      await listening(socket, () => socket.bind(port), `${port}/udp`);
      this.#sockets.push({ port, isIpv6, socket });
    } catch (error) {
      socket.close();
      // Nothing is sent from there then, and that the members' ports are not reached is told with all else.
      if (!(isIpv6 && isWithoutIpv6(error))) throw error;
    }
  }

  #isOurs(bytes: Buffer): boolean {
    return this.#nonces.some((nonce) => nonce.equals(bytes));
  }

  /** Sends the nonce from our ports to theirs at that address until the returned function is called. */
  sendTo(
    address: string,
    nonce: Buffer,
    pairs: readonly (readonly [own: number, theirs: number])[],
  ): () => void {
    const isIpv6 = isIPv6(address);
    const send = (): void => {
      for (const [own, theirs] of pairs) {
        const found = this.#sockets.find((each) => each.port === own && each.isIpv6 === isIpv6);
        // A host that cannot be reached is what this finds out.
        found?.socket.send(nonce, theirs, address, () => undefined);
      }
    };
    const timer = setInterval(send, AGAIN_MS);
    send();
    return () => clearInterval(timer);
  }

  close(): void {
    for (const server of this.#servers) if (server.listening) server.close();
    for (const { socket } of this.#sockets) socket.close();
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
    if (!isErrno(cause, "EADDRINUSE")) throw cause;
    throw new HansaError("PORT_TAKEN", `port ${what} is held by another program`, { cause });
  }
  emitter.on("error", () => undefined);
}
