/**
 * What can befall a cluster, each as a script on a network that disturbs it for a while. Then all links are mended, and from then on all must
 * agree again.
 *
 * How many members a script touches depends on the size: each change costs every member a handful of packets, and 10,000 members are to be
 * simulated in two minutes.
 */
import type { FalseDeaths } from "./false-deaths.ts";
import { type Link, POOR } from "./link.ts";
import { STARVED_RUN_MS, STARVED_STILL_MS } from "./measures.ts";
import type { SimulatedMember } from "./member.ts";
import type { SimulatedNetwork } from "./network.ts";

export interface Stage {
  readonly network: SimulatedNetwork;
  /** All that were there at the start. */
  readonly members: readonly SimulatedMember[];
  /** A few members, different ones and in random order, about a tenth of a small cluster. */
  readonly few: readonly SimulatedMember[];
  /** To be told of members that are impaired on purpose. */
  readonly deaths: FalseDeaths;
}

export interface Scenario {
  readonly title: string;
  readonly link?: Partial<Link>;
  /** The members know nobody at the start. */
  readonly fromNothing?: true;
  /** Whether healthy members that nothing cuts off must never be held dead. */
  readonly noFalseDeaths: boolean;
  /** Above this size it would take too long. */
  readonly maxMembers: number;
  /** Virtual time for all to agree again after the script. */
  readonly settleMs: number;
  readonly script: (stage: Stage) => void;
}

const ANY_SIZE = 10_000;

function killFew({ network, few }: Stage): void {
  for (const member of few) {
    network.kill(member);
    network.run(network.random() * 1_000);
  }
}

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  kills: {
    title: "members are killed, one after the other",
    noFalseDeaths: true,
    maxMembers: ANY_SIZE,
    settleMs: 20_000,
    script: killFew,
  },
  loss: {
    title: "10 % of packets lost, some doubled or overtaken, 1 % of members starved",
    link: { loss: 0.1, duplication: 0.02, reordering: 0.05, reorderMs: 100 },
    noFalseDeaths: true,
    maxMembers: ANY_SIZE,
    settleMs: 15_000,
    script: ({ network, members, deaths }) => {
      const share = Math.max(1, Math.round(members.length / 100));
      for (const member of aFew(network, members, share)) {
        network.starve(member, STARVED_STILL_MS, STARVED_RUN_MS);
        deaths.impaired.add(member.name);
      }
      network.run(members.length > 1_000 ? 15_000 : 60_000);
      for (const member of members) if (deaths.impaired.has(member.name)) network.wake(member);
    },
  },
  poor: {
    title: "kills over long, lossy links with a long tail",
    link: POOR,
    noFalseDeaths: true,
    maxMembers: ANY_SIZE,
    settleMs: 20_000,
    script: killFew,
  },
  "one-way": {
    title: "a few members are not heard by a third of the others",
    noFalseDeaths: true,
    maxMembers: ANY_SIZE,
    settleMs: 10_000,
    script: ({ network, members, few }) => {
      for (const member of few) {
        for (const other of members) {
          if (network.random() < 1 / 3) network.setCut(member, other, true);
        }
      }
      network.run(members.length > 1_000 ? 15_000 : 60_000);
    },
  },
  deaf: {
    title: "some members hear nobody for a while, but are heard",
    noFalseDeaths: true,
    maxMembers: ANY_SIZE,
    settleMs: 15_000,
    script: ({ network, members, few, deaths }) => {
      for (const member of few.slice(0, 5)) {
        for (const other of members) network.setCut(other, member, true);
        deaths.impaired.add(member.name);
      }
      network.run(members.length > 1_000 ? 12_000 : 40_000);
    },
  },
  split: {
    title: "some members are cut off together for a while",
    noFalseDeaths: false,
    maxMembers: ANY_SIZE,
    settleMs: 20_000,
    script: ({ network, members, few }) => {
      const apart = members.length > 1_000 ? few.slice(0, 5) : members.slice(members.length / 3);
      for (const member of apart) member.group = 1;
      network.run(members.length > 1_000 ? 12_000 : 60_000);
    },
  },
  "slow-accusers": {
    title: "some members stand still for up to six seconds again and again",
    noFalseDeaths: true,
    maxMembers: ANY_SIZE,
    settleMs: 20_000,
    script: ({ network, few, members, deaths }) => {
      const slow = few.slice(0, 6);
      for (const member of slow) {
        network.starve(member, [500, 6_000], [20, 500]);
        deaths.impaired.add(member.name);
      }
      network.run(members.length > 1_000 ? 12_000 : 60_000);
      for (const member of slow) network.wake(member);
    },
  },
  "mass-restart": {
    title:
      "all but a few restart at once, half of them without their incarnation, and are remembered dead",
    noFalseDeaths: false,
    maxMembers: 1_000,
    settleMs: 20_000,
    script: ({ network, members, few }) => {
      const witnesses = new Set(few);
      const others = members.filter((member) => !witnesses.has(member));
      // A past of refutations, so that the remembered incarnations are high.
      for (const member of others) {
        for (let change = 0; change < 3; change++) {
          const { endpoint } = member;
          network.feed(member, { type: "announce", meta: Uint8Array.of(change), endpoint });
        }
      }
      network.run(10_000);
      for (const member of others) network.kill(member);
      network.run(600_000, () => network.isSettled());
      for (const [index, member] of others.entries()) {
        network.restart(member, index % 2 === 0 ? 0 : member.writtenIncarnation);
        network.dial(member, few[index % few.length]!);
      }
    },
  },
  "rolling-restart": {
    title: "members restart one after the other, each away for 1 to 8 seconds",
    noFalseDeaths: true,
    maxMembers: ANY_SIZE,
    settleMs: 10_000,
    script: ({ network, members, few }) => {
      for (const member of few) {
        network.kill(member);
        network.run(1_000 + network.random() * (members.length > 1_000 ? 1_000 : 7_000));
        network.restart(member);
        network.dial(member, otherThan(network, member));
        network.run(200);
      }
    },
  },
  churn: {
    title: "members come, leave, die and come back at 2 % loss",
    link: { loss: 0.02 },
    noFalseDeaths: true,
    maxMembers: ANY_SIZE,
    settleMs: 20_000,
    script: ({ network, few }) => {
      for (const [index, member] of few.entries()) {
        const what = index % 3;
        if (what === 0) {
          const fresh = network.add(`new${index}`);
          network.feed(fresh, { type: "tick" });
          network.dial(fresh, otherThan(network, fresh));
        } else if (what === 1) {
          network.feed(member, { type: "leave" });
          network.at(1_000, () => network.kill(member));
        } else {
          network.kill(member);
          network.at(network.random() * 6_000, () => {
            network.restart(member, network.random() < 0.3 ? 0 : member.writtenIncarnation);
            network.dial(member, otherThan(network, member));
          });
        }
        network.run(network.random() * 1_500);
      }
      network.run(6_000);
    },
  },
  storm: {
    title: "strangers all join one member at the same moment",
    fromNothing: true,
    noFalseDeaths: true,
    maxMembers: 1_000,
    settleMs: 10_000,
    script: ({ network, members }) => {
      for (const member of members.slice(1)) network.sync(member, members[0]!.endpoint);
    },
  },
};

/** `count` different members in random order. */
export function aFew(
  network: SimulatedNetwork,
  members: readonly SimulatedMember[],
  count: number,
): SimulatedMember[] {
  const rest = [...members];
  const few: SimulatedMember[] = [];
  while (few.length < count) {
    few.push(...rest.splice(Math.floor(network.random() * rest.length), 1));
  }
  return few;
}

/** A running member other than `member`. */
function otherThan(network: SimulatedNetwork, member: SimulatedMember): SimulatedMember {
  const running = network.up().filter((one) => one !== member);
  return running[Math.floor(network.random() * running.length)]!;
}
