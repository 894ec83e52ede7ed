/**
 * What a simulated network does to a packet: how long it takes, whether it is lost, doubled or overtaken.
 *
 * All choices come from the caller's random numbers. Times are milliseconds of virtual time, shares are in [0, 1].
 */

export type Latency =
  /** One way, uniform between the two. */
  | { readonly kind: "uniform"; readonly leastMs: number; readonly mostMs: number }
  /** Log-normal: half of all packets are faster than the median, one of 44 takes above `median * e^(2 * spread)`. */
  | { readonly kind: "long-tail"; readonly medianMs: number; readonly spread: number };

export interface Link {
  readonly latency: Latency;
  /** Share of packets lost. A stream does not lose, it waits for the retransmission. */
  readonly loss: number;
  /** Share of packets that arrive twice. */
  readonly duplication: number;
  /** Share of packets held back by up to `reorderMs`, so that later ones overtake them. */
  readonly reordering: number;
  readonly reorderMs: number;
}

export const LAN: Link = {
  latency: { kind: "uniform", leastMs: 0.2, mostMs: 2 },
  loss: 0,
  duplication: 0,
  reordering: 0,
  reorderMs: 0,
};

/** Sites around the world on a poor day. */
export const POOR: Link = {
  latency: { kind: "long-tail", medianMs: 25, spread: 0.6 },
  loss: 0.05,
  duplication: 0.02,
  reordering: 0.05,
  reorderMs: 200,
};

/** The first retransmission of TCP; each further one waits twice as long. */
const RETRANSMIT_MS = 200;
const MAX_RETRANSMITS = 6;

export function latencyOf(latency: Latency, random: () => number): number {
  if (latency.kind === "uniform") {
    return latency.leastMs + random() * (latency.mostMs - latency.leastMs);
  }
  // Box and Muller; 1 - random() is never 0.
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return latency.medianMs * Math.exp(latency.spread * normal);
}

/** After how long each copy of one packet arrives; none when it is lost. */
export function arrivals(link: Link, random: () => number): number[] {
  const copies = link.duplication > 0 && random() < link.duplication ? 2 : 1;
  const delays: number[] = [];
  for (let copy = 0; copy < copies; copy++) {
    if (link.loss > 0 && random() < link.loss) continue;
    const held = link.reordering > 0 && random() < link.reordering ? random() * link.reorderMs : 0;
    delays.push(latencyOf(link.latency, random) + held);
  }
  return delays;
}

/** How long a stream takes for `legs` messages one after the other, retransmissions included. */
export function streamDelay(link: Link, legs: number, random: () => number): number {
  let delay = 0;
  for (let leg = 0; leg < legs; leg++) {
    delay += latencyOf(link.latency, random);
    for (let tries = 0; tries < MAX_RETRANSMITS && random() < link.loss; tries++) {
      delay += RETRANSMIT_MS * 2 ** tries;
    }
  }
  return delay;
}
