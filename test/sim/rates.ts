/**
 * How much a member may send of its own accord, whatever happens. Answers are counted against what was received: each message that wants one
 * allows one packet. Cost: O(1) each event.
 */
import type { MembershipInput } from "../../src/membership/step.ts";
import type { SimulatedMember } from "./member.ts";
import type { SimulatedNetwork } from "./network.ts";

/** In one second: 15 of gossip and a burst of 12, a probe with its relays, eight inquests, the questions about eight suspects, 16 bounded answers. */
const PACKETS_PER_SECOND = 64;
/** Push/pulls begun in one second, and in one minute: after growth a dozen, and one for each dead member that answers. */
const SYNCS_PER_SECOND = 4;
const SYNCS_PER_MINUTE = 24;

/** What a member answers or passes on by a packet each; suspicions and deaths of itself and stale alives, too. */
const ANSWERED: ReadonlySet<string> = new Set([
  "ping",
  "indirectPing",
  "ack",
  "nack",
  "alive",
  "suspect",
  "dead",
]);

interface Counts {
  secondEndsMs: number;
  packets: number;
  received: number;
  syncs: number;
  minuteEndsMs: number;
  syncsOfMinute: number;
}

const NOTHING: Counts = {
  secondEndsMs: 0,
  packets: 0,
  received: 0,
  syncs: 0,
  minuteEndsMs: 0,
  syncsOfMinute: 0,
};

/** Calls `fail` when a member sends more. Windows are whole seconds and minutes of virtual time. */
export function watchRates(network: SimulatedNetwork, fail: (what: string) => void): void {
  const byMember: Counts[] = [];
  const of = ({ index }: SimulatedMember): Counts => {
    let counts = byMember[index];
    if (counts === undefined) {
      counts = { ...NOTHING };
      byMember[index] = counts;
    }
    if (network.nowMs < counts.secondEndsMs) return counts;
    counts.secondEndsMs = Math.floor(network.nowMs / 1_000 + 1) * 1_000;
    counts.packets = 0;
    counts.received = 0;
    counts.syncs = 0;
    if (network.nowMs < counts.minuteEndsMs) return counts;
    counts.minuteEndsMs = Math.floor(network.nowMs / 60_000 + 1) * 60_000;
    counts.syncsOfMinute = 0;
    return counts;
  };
  network.observers.push({
    packet: (member) => {
      of(member).packets++;
    },
    sync: (member) => {
      const counts = of(member);
      counts.syncs++;
      counts.syncsOfMinute++;
      const { syncs, syncsOfMinute } = counts;
      if (syncs > SYNCS_PER_SECOND) fail(`${member.name} began ${syncs} push/pulls in a second`);
      if (syncsOfMinute > SYNCS_PER_MINUTE)
        fail(`${member.name} began ${syncsOfMinute} push/pulls in a minute`);
    },
    handled: (member, input) => {
      const counts = of(member);
      if (isAnswered(input)) counts.received++;
      const unasked = counts.packets - counts.received;
      if (unasked > PACKETS_PER_SECOND)
        fail(`${member.name} sent ${unasked} packets unasked in a second`);
    },
  });
}

function isAnswered(input: MembershipInput): boolean {
  return input.type === "packet" && ANSWERED.has(input.message.type);
}
