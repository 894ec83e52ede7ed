/**
 * One simulated host: its machine, what its disk holds, and how starved it is of time.
 *
 * While it stands still nothing is handled: packets wait in a buffer of bounded size, as in a kernel's, and timers run late. When it wakes
 * up, timers come first and then the packets, as in Node.
 */
import type { Membership } from "../../src/membership/machine.ts";
import type { MemberEvent, MembershipInput } from "../../src/membership/step.ts";
import type { Endpoint } from "../../src/values/endpoint.ts";

/** Packets that wait at most; more are dropped. A kernel's default buffer of 208 KiB holds about as many small ones. */
const MAX_WAITING = 256;

export class SimulatedMember {
  readonly name: string;
  readonly endpoint: Endpoint;
  /** Its number in the network's beliefs. */
  readonly index: number;
  machine: Membership;
  isUp = false;
  /** What its disk holds. */
  writtenIncarnation: number;
  /** Members of different groups do not hear each other. */
  group = 0;
  /** Nothing is handled before this time. */
  stillUntilMs = Number.NEGATIVE_INFINITY;
  /** When the tick that is planned is due, and which plan is the newest. */
  tickMs = Number.POSITIVE_INFINITY;
  tickNumber = 0;
  /** Lives so far: what was planned for an earlier one is void. */
  life = 0;
  /** Which starving is the newest; an older one has ended. */
  starving = 0;
  /** The highest incarnation of a life that ended: its death is no false one. */
  diedAtIncarnation = -1;
  waiting: (() => void)[] = [];
  packets = 0;
  bytes = 0;
  readonly events: { readonly atMs: number; readonly event: MemberEvent }[] = [];
  readonly users: Uint8Array[] = [];

  constructor(
    name: string,
    endpoint: Endpoint,
    index: number,
    machine: Membership,
    writtenIncarnation: number,
  ) {
    this.name = name;
    this.endpoint = endpoint;
    this.index = index;
    this.machine = machine;
    this.writtenIncarnation = writtenIncarnation;
  }

  /** Has `action` done once the member runs again. */
  defer(action: () => void): void {
    if (this.waiting.length < MAX_WAITING) this.waiting.push(action);
  }

  /** How it holds `other`. */
  sees(other: SimulatedMember): ReturnType<SimulatedMember["belief"]> {
    return this.belief(other.name);
  }

  belief(name: string) {
    return this.machine.member(name)?.state;
  }
}

/** What an observer of a simulation is told. */
export interface SimulationObserver {
  /** A member's machine handled an input and its outputs were carried out. */
  readonly handled?: (member: SimulatedMember, input: MembershipInput) => void;
  readonly event?: (member: SimulatedMember, event: MemberEvent) => void;
  /** A member begins a push/pull by itself. */
  readonly sync?: (member: SimulatedMember) => void;
  /** A datagram of `bytes` went out. */
  readonly packet?: (member: SimulatedMember, bytes: number) => void;
}
