/**
 * Whom this node looks for: its targets and the peers it once met, dialled until they are members; and which hosts its dials reached.
 *
 * Feeds the dialer, which decides, and the dial loop, which dials. Nobody is dialled before `begin` and after `close`.
 */
import { networkInterfaces } from "node:os";
import type { Gossip } from "../../gossip/gossip.ts";
import {
  Dialer,
  type DialerMember,
  type PeerView,
  type TargetView,
} from "../../membership/dialer.ts";
import type { KnownPeer } from "../../membership/dialer-state.ts";
import type { MemberView } from "../../membership/machine.ts";
import { decodeMetadata } from "../../membership/metadata.ts";
import type { NodeFile } from "../../processes/node-file.ts";
import type { NodeId } from "../../values/node-id.ts";
import { ownAddresses } from "../host-facts/underlay.ts";
import { DialLoop } from "./dial-loop.ts";

export interface MemberSearchOptions {
  readonly node: NodeFile;
  /** Our member's name. */
  readonly name: string;
  /** Met in a former life of the daemon. */
  readonly peers: readonly KnownPeer[];
  /** True for a key that left or was taken over. */
  readonly hasDeparted: (name: string) => boolean;
  /** A dial ended, whatever way. */
  readonly changed: () => void;
}

/** The address at which a node is reached now, where it has several. */
type ReachedAt = (id: NodeId) => string | undefined;

export class MemberSearch {
  readonly #options: MemberSearchOptions;
  readonly #dialer: Dialer;
  /** Addresses of hosts. */
  readonly #dialled = new Set<string>();
  #dials: DialLoop | undefined;

  constructor(options: MemberSearchOptions) {
    const { node, peers } = options;
    this.#options = options;
    this.#dialer = new Dialer(
      {
        defaultPort: node.ports.gossip,
        random: Math.random,
        state: { targets: node.targets, peers },
      },
      performance.now(),
    );
  }

  /** Dials through `gossip` from now on, whose members are these. */
  begin(gossip: Gossip): void {
    const { node, changed } = this.#options;
    this.#dials = new DialLoop({
      dialer: this.#dialer,
      gossip,
      ownAddresses: () => ownAddresses(networkInterfaces()),
      ownPort: node.ports.gossip,
      changed: (contacted) => {
        if (contacted) this.#dialled.add(contacted.ip);
        changed();
      },
    });
  }

  targets(): readonly TargetView[] {
    return this.#dialer.targets();
  }

  /** Peers met once, with when each that is not alive is dialled again. */
  knownPeers(): readonly PeerView[] {
    return this.#dialer.peers();
  }

  /** Those peers, as they are written down. */
  get remembered(): readonly KnownPeer[] {
    return this.#dialer.state().peers;
  }

  /** True when our dial made the contact to the host with that address. */
  hasDialled(ip: string): boolean {
    return this.#dialled.has(ip);
  }

  /** Nobody is looked for: no peer was ever met, and no target will ever answer. */
  get isOver(): boolean {
    const waits = this.#dialer.targets().some(({ state }) => state !== "failed");
    return !waits && this.#dialer.peers().length === 0;
  }

  /** Adds targets, or makes them the whole set, and dials at once. */
  connect(targets: readonly string[], replace: boolean): void {
    if (replace) this.#dialer.replace(targets, performance.now());
    else this.#dialer.connect(targets, performance.now());
    this.dial();
  }

  forget(targets: readonly string[]): void {
    this.#dialer.forget(targets);
  }

  /** Whoever is gone for good is not looked for. */
  drop(name: string): void {
    this.#dialer.dropPeer(name);
  }

  /** Takes in who is a member now. */
  setMembers(members: readonly MemberView[], reachedAt: ReachedAt): void {
    this.#dialer.setMembers(this.#others(members, reachedAt), performance.now(), Date.now());
  }

  /** Dials what is due. */
  dial(): void {
    this.#dials?.kick();
  }

  /** Gives up peers that were away for too long, and forgets contacts of hosts long gone. */
  keepHouse(members: readonly MemberView[], reachedAt: ReachedAt): void {
    // Also when nothing happened for days: the 72 h of a known peer count from when it was last alive.
    this.setMembers(members, reachedAt);
    this.#dialer.expire(Date.now());
    const places = new Set(members.map(({ endpoint }) => endpoint.ip));
    for (const ip of this.#dialled) if (!places.has(ip)) this.#dialled.delete(ip);
  }

  close(): void {
    this.#dials?.close();
  }

  /** All other members, each at every address that it announces, the one where it is reached first. */
  #others(members: readonly MemberView[], reachedAt: ReachedAt): DialerMember[] {
    const { name: ownName, hasDeparted } = this.#options;
    return members
      .filter(({ name }) => name !== ownName)
      .map((member) => {
        const node = decodeMetadata(member.meta);
        const first = node && reachedAt(node.id);
        const links = node?.links.map(({ address }) => address) ?? [];
        return {
          ...member,
          links: first === undefined ? links : [...new Set([first, ...links])],
          departed: hasDeparted(member.name),
        };
      });
  }
}
