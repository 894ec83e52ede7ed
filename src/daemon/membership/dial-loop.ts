/**
 * Dials whom the dialer says: resolves the name, exchanges states with what answers, and reports how it ended.
 */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { Gossip } from "../../gossip/gossip.ts";
import type { JoinResult } from "../../gossip/gossip-delegate.ts";
import type { Dial, Dialer, DialOutcome } from "../../membership/dialer.ts";
import { parseMemberName } from "../../membership/member-name.ts";
import { type Endpoint, formatEndpoint } from "../../values/endpoint.ts";
import { AUTHENTICATION_FAILED } from "./rejections.ts";

export interface DialLoopOptions {
  readonly dialer: Dialer;
  readonly gossip: Gossip;
  /** This host's own addresses now, as text. */
  readonly ownAddresses: () => ReadonlySet<string>;
  readonly ownPort: number;
  /** A dial ended, whatever way. */
  readonly changed: (contacted: Endpoint | undefined) => void;
}

export class DialLoop {
  readonly #options: DialLoopOptions;
  readonly #closing = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: DialLoopOptions) {
    this.#options = options;
  }

  /** Dials what is due, and looks again when more is. Call after every change of the dialer's. */
  kick(): void {
    if (this.#closing.signal.aborted) return;
    const { dialer } = this.#options;
    for (const dial of dialer.due(performance.now())) void this.#dial(dial);
    clearTimeout(this.#timer);
    const next = dialer.nextTickMs();
    if (next === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(() => this.kick(), Math.max(5, next - performance.now()));
  }

  close(): void {
    this.#closing.abort();
    clearTimeout(this.#timer);
  }

  async #dial(dial: Dial): Promise<void> {
    const { dialer, changed } = this.#options;
    let contacted: Endpoint | undefined;
    let outcome: DialOutcome;
    try {
      const addresses = await this.#resolve(dial);
      ({ outcome, contacted } = await this.#tryEach(addresses, dial.port));
    } catch (error) {
      outcome = { result: "failed", error: error instanceof Error ? error.message : `${error}` };
    }
    if (this.#closing.signal.aborted) return;
    dialer.outcome(dial.key, outcome, performance.now());
    changed(contacted);
    this.kick();
  }

  async #resolve(dial: Dial): Promise<string[]> {
    if (isIP(dial.host)) return [dial.host];
    let addresses: string[];
    try {
      addresses = (await lookup(dial.host, { all: true, order: "ipv4first" })).map(
        ({ address }) => address,
      );
    } catch {
      // The resolver's own words ("getaddrinfo ENOTFOUND") say no more than this.
      throw new Error(nameProblem(dial.host));
    }
    if (dial.key.kind === "target") this.#options.dialer.resolved(dial.key.target, addresses);
    return addresses;
  }

  /** The first address that answers decides; of failures the last one is told. */
  async #tryEach(
    addresses: readonly string[],
    port: number,
  ): Promise<{ outcome: DialOutcome; contacted?: Endpoint }> {
    const { gossip, ownAddresses, ownPort } = this.#options;
    const own = ownAddresses();
    if (port === ownPort && addresses.some((ip) => own.has(ip)))
      return { outcome: { result: "ourself" } };
    let outcome: DialOutcome = { result: "failed", error: "the name has no address" };
    for (const ip of addresses) {
      const endpoint = { ip, port };
      const joined = await gossip.join(endpoint, this.#closing.signal);
      if (joined.ok) {
        const member = answererOf(joined.members, endpoint);
        return { outcome: { result: "contact", ...(member && { member }) }, contacted: endpoint };
      }
      outcome = { result: "failed", error: failureText(joined, endpoint) };
    }
    return { outcome };
  }
}

/**
 * The member that answered at `endpoint`. Our own kind names itself first, so that it is known also behind an address that it does not
 * announce: another link, or one that a router translates.
 */
function answererOf(
  members: readonly { readonly name: string; readonly endpoint: Endpoint }[],
  endpoint: Endpoint,
): string | undefined {
  const [first] = members;
  if (first && parseMemberName(first.name)) return first.name;
  return members.find((each) => sameEndpoint(each.endpoint, endpoint))?.name;
}

function sameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return a.ip === b.ip && a.port === b.port;
}

/** What is said of a target whose name has no address. */
export function nameProblem(host: string): string {
  return `the name ${host} cannot be resolved`;
}

/** One clause for the row of the connection. */
function failureText(failure: Extract<JoinResult, { ok: false }>, endpoint: Endpoint): string {
  const at = formatEndpoint(endpoint);
  const open = `(open ${endpoint.port}/tcp and udp)`;
  switch (failure.reason) {
    case "refused":
      return `connection refused at ${at}/tcp: no node runs there, or a firewall refuses ${open}`;
    case "unanswered":
      return `no answer from ${at}/tcp: the host is down, or a firewall drops packets ${open}`;
    case "unreachable":
      return `${at} is unreachable: no route, or the host is down`;
    case "authentication":
      return AUTHENTICATION_FAILED;
    case "closed":
    case "protocol":
      return failure.message;
  }
}
