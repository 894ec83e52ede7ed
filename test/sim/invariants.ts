/**
 * What must hold at every event of a simulation, whatever happens in it. A broken invariant throws at once, with the virtual time.
 */
import { PACKET_BUDGET } from "../../src/membership/wire/limits.ts";
import type { SimulatedMember } from "./member.ts";
import type { SimulatedNetwork } from "./network.ts";
import { watchRates } from "./rates.ts";

/** Of the machine's own bounds: 4096 pieces of news of each kind, 256 relays, 8 inquests. */
const MAX_NEWS = 2 * 4096;
const MAX_RELAYS_AND_INQUESTS = 256 + 8;
/** Rounds, probes and the cancelled ones of the last seconds; each relay and suspicion adds its own. */
const DEADLINES_BASE = 200;
const DEADLINES_EACH = 6;

/** A probe with its timers, the rounds, and what was cancelled, which stays until its time comes: of a suspicion up to a minute. */
const IDLE_DEADLINES = 100;

/** With more members what they hold is looked at once a second each, not at every input. */
const AT_EVERY_EVENT = 256;
const CHECKPOINT_MS = 1_000;

/** Checks at each packet and each input from now on. Cost: O(1) each. */
export function watchInvariants(network: SimulatedNetwork): void {
  /** By the member's index. */
  const incarnations: { life: number; value: number; checkMs: number }[] = [];
  const fail = (what: string) => {
    throw new Error(`${what}, ${(network.nowMs / 1_000).toFixed(3)} s into the simulation`);
  };
  watchRates(network, fail);
  network.observers.push({
    packet: (member, bytes) => {
      if (bytes > PACKET_BUDGET) fail(`${member.name} sent a packet of ${bytes} bytes`);
    },
    handled: (member) => {
      const { index, life, writtenIncarnation: value } = member;
      let before = incarnations[index];
      if (before === undefined) {
        before = { life, value, checkMs: 0 };
        incarnations[index] = before;
      }
      if (before.life === life && before.value > value) {
        fail(`the incarnation of ${member.name} fell from ${before.value} to ${value}`);
      }
      before.life = life;
      before.value = value;
      if (network.members.size > AT_EVERY_EVENT) {
        if (network.nowMs < before.checkMs) return;
        before.checkMs = network.nowMs + CHECKPOINT_MS;
      }
      checkHoldings(member, network.members.size, fail);
    },
  });
}

function checkHoldings(
  { name, machine: { held } }: SimulatedMember,
  names: number,
  fail: (what: string) => void,
): void {
  const bounds = {
    news: MAX_NEWS,
    relaysAndInquests: MAX_RELAYS_AND_INQUESTS,
    suspicions: names,
    deadlines: DEADLINES_BASE + DEADLINES_EACH * (held.relaysAndInquests + held.suspicions + names),
  };
  for (const key of ["news", "relaysAndInquests", "suspicions", "deadlines"] as const) {
    if (held[key] > bounds[key]) fail(`${name} holds ${held[key]} ${key}`);
  }
}

/** Compares what the events said with what the machines hold, all pairs of running members. O(members²). */
export function auditBeliefs(network: SimulatedNetwork): void {
  let [strangers, ghosts] = [0, 0];
  const all = [...network.members.values()];
  const running = new Set(all.filter(({ isUp }) => isUp).map(({ name }) => name));
  for (const member of network.up()) {
    for (const other of all) {
      if (other.name === member.name) continue;
      const state = member.sees(other);
      if (running.has(other.name)) strangers += state === "alive" ? 0 : 1;
      else ghosts += state === "alive" || state === "suspect" ? 1 : 0;
    }
  }
  const { beliefs } = network;
  if (strangers === beliefs.strangers && ghosts === beliefs.ghosts) return;
  throw new Error(
    `events say ${beliefs.strangers} and ${beliefs.ghosts} wrong pairs, machines ${strangers} and ${ghosts}`,
  );
}

/** After a quiet time nothing is left of what happened: no news, relays, inquests and suspicions, and only the rounds' deadlines. */
export function auditHoldings(network: SimulatedNetwork): void {
  for (const member of network.up()) {
    const { news, relaysAndInquests, suspicions, deadlines } = member.machine.held;
    // Who left is forgotten after a day.
    const left = member.machine.members().filter(({ state }) => state === "left").length;
    const bound = IDLE_DEADLINES + left;
    if (news + relaysAndInquests + suspicions === 0 && deadlines <= bound) continue;
    const held = JSON.stringify(member.machine.held);
    throw new Error(`${member.name} still holds ${held} after a quiet time`);
  }
}
