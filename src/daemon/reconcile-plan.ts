/**
 * What to mend between Docker's containers and the plugin's leases: pure, from one look at both.
 *
 * Docker never says for which container it asks, drops releases while the plugin is down, and gives up on a container whose address was
 * refused at an automatic restart. So leases that no container holds are freed after a grace (a lease may be younger than the
 * container that Docker is about to show), and containers that failed for want of an address are started again.
 */
import type { Ipv4 } from "../values/ipv4.ts";

/** How long a lease may be without a container. */
export const LEAK_GRACE_MS = 60_000;

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

export type ReconcileStep =
  | { readonly type: "free"; readonly addresses: readonly Ipv4[] }
  | { readonly type: "start"; readonly id: string; readonly name: string };

/** What Docker writes when the plugin refused, hung or was not there. */
const ADDRESS_FAILURE = /IpamDriver|IPAM_|ipam|plugin|No address returned/;

/** The steps that are due now; `nowMs` is wall time, as leases' `sinceMs` are. */
export function reconcileSteps(
  leases: readonly SeenLease[],
  containers: readonly SeenContainer[],
  nowMs: number,
): ReconcileStep[] {
  const held = new Set(containers.map(({ address }) => address));
  const leaked = leases
    .filter(({ address, sinceMs }) => !held.has(address) && nowMs - sinceMs > LEAK_GRACE_MS)
    .map(({ address }) => address);
  const stranded = containers.filter(
    ({ running, error, restartPolicy }) =>
      !running &&
      (restartPolicy === "always" || restartPolicy === "unless-stopped") &&
      ADDRESS_FAILURE.test(error),
  );
  return [
    ...(leaked.length > 0 ? [{ type: "free", addresses: leaked } as const] : []),
    ...stranded.map(({ id, name }) => ({ type: "start", id, name }) as const),
  ];
}
