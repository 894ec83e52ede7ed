/**
 * What to mend between Docker's containers and the plugin's leases: pure, from one look at both.
 *
 * Docker never says for which container it asks, drops releases while the plugin is down, and gives up on a container whose address was
 * refused at an automatic restart. So leases that no container holds are freed after a grace (a lease may be younger than the
 * container that Docker is about to show), and containers that failed for want of an address are started again.
 *
 * Invariant: no jump of the wall clock frees a lease that Docker is about to use. A lease carries wall time, which outlives the daemon; so
 * it must also have been seen without a container for a while on the monotonic clock, which starts anew with each daemon.
 */
import type { Ipv4 } from "../../values/ipv4.ts";

/** A lease older than this, by the wall clock, may be a leak. */
export const LEAK_GRACE_MS = 60_000;
/** At least so far apart, on the monotonic clock, are the first and the last of the looks that saw it without a container. */
export const LEAK_WATCH_MS = 10_000;

export interface SeenLease {
  readonly address: Ipv4;
  readonly sinceMs: number;
}

export interface SeenContainer {
  readonly id: string;
  readonly name: string;
  readonly running: boolean;
  /** Docker's own words for why the last start failed; empty when it did not. */
  readonly error: string;
  readonly restartPolicy: string;
  /** Its address on our network; undefined while it holds none. */
  readonly address: Ipv4 | undefined;
}

/** Leases that were without a container at each look since `firstMs` of the monotonic clock. */
export type LeakWatch = ReadonlyMap<Ipv4, { readonly sinceMs: number; readonly firstMs: number }>;

/** One look: leases first, then containers, with the clocks read before both. */
export interface Look {
  readonly leases: readonly SeenLease[];
  readonly containers: readonly SeenContainer[];
  /** As leases' `sinceMs` are. */
  readonly wallMs: number;
  readonly monotonicMs: number;
}

export interface Reconciliation {
  readonly steps: readonly ReconcileStep[];
  /** For the next look. */
  readonly watch: LeakWatch;
}

export type ReconcileStep =
  | { readonly type: "free"; readonly addresses: readonly Ipv4[] }
  | { readonly type: "start"; readonly id: string; readonly name: string };

/** What Docker writes when the plugin refused, hung or was not there. */
const ADDRESS_FAILURE = /IpamDriver|IPAM_|ipam|plugin|No address returned/;

/** The steps that are due now; `watch` is what the last look of this daemon gave, empty before the first. */
export function reconcile(look: Look, watch: LeakWatch): Reconciliation {
  const next = watchedLeases(look, watch);
  const leaked = [...next]
    .filter(
      ([, { sinceMs, firstMs }]) =>
        look.wallMs - sinceMs > LEAK_GRACE_MS && look.monotonicMs - firstMs >= LEAK_WATCH_MS,
    )
    .map(([address]) => address);
  const stranded = look.containers.filter(
    ({ running, error, restartPolicy }) =>
      !running &&
      (restartPolicy === "always" || restartPolicy === "unless-stopped") &&
      ADDRESS_FAILURE.test(error),
  );
  const steps: ReconcileStep[] = stranded.map(({ id, name }) => ({ type: "start", id, name }));
  if (leaked.length > 0) steps.unshift({ type: "free", addresses: leaked });
  return { steps, watch: next };
}

/** A lease that a container held meanwhile, or that is another than the one before, is watched from now. */
export function watchedLeases(
  { leases, containers, monotonicMs }: Omit<Look, "wallMs">,
  watch: LeakWatch,
): LeakWatch {
  const held = new Set(containers.map(({ address }) => address));
  const next = new Map<Ipv4, { sinceMs: number; firstMs: number }>();
  for (const { address, sinceMs } of leases) {
    if (held.has(address)) continue;
    const before = watch.get(address);
    const firstMs = before?.sinceMs === sinceMs ? before.firstMs : monotonicMs;
    next.set(address, { sinceMs, firstMs });
  }
  return next;
}
