/** Builds what a status is made from, for the tests of this folder: nodes by id, and what each test makes different. */
import type { MemberView } from "../../membership/machine.ts";
import { encodeMetadata } from "../../membership/metadata.ts";
import { plainLinks } from "../../values/node-link.ts";
import type { TunnelView } from "../data-path/tunnel-proof.ts";
import { overlayBlock } from "../host-facts/underlay.ts";
import { type Roster, rosterOf } from "../membership/roster.ts";
import type { StatusFacts } from "./status-view.ts";

const SUBNET = "10.32.0.0/12";

export interface MemberSpec {
  readonly id: number;
  /** 8 hex digits; by default the id in decimal. */
  readonly key?: string;
  readonly state?: MemberView["state"];
  readonly binding?: number;
  readonly subnet?: string;
  readonly encryption?: "wireguard" | "none";
  readonly store?: { readonly id: string; readonly generation: number };
}

const keyOf = ({ id, key }: MemberSpec): string => key ?? `${id}`.padStart(8, "0");

export const memberName = (spec: MemberSpec): string => `${spec.id}-${keyOf(spec)}`;

/** The member on host `id`, at 192.168.48.(10 + id). */
export function memberOf(spec: MemberSpec): MemberView {
  const { id, state = "alive", binding = 0, subnet = SUBNET, encryption = "wireguard" } = spec;
  const meta = encodeMetadata({
    id,
    name: `host${id}`,
    keyFingerprint: keyOf(spec),
    binding,
    boot: 1,
    engineId: "",
    role: "peer",
    links: plainLinks([`192.168.48.${10 + id}`]),
    ports: { gossip: 6783, overlay: 6784, api: 1443 },
    wireguardKey: new Uint8Array(32),
    version: "test",
    store: spec.store,
    encryption,
    subnet: overlayBlock(subnet),
    raftPort: 9212,
  });
  const endpoint = { ip: `192.168.48.${10 + id}`, port: 6783 };
  return { name: memberName(spec), endpoint, meta, state } as MemberView;
}

/** What node 1 sees; `others` beside it. */
export function rosterWith(...others: readonly MemberView[]): Roster {
  const self = memberOf({ id: 1 });
  return rosterOf([self, ...others], self.name);
}

export const NO_TUNNEL: TunnelView = {
  proved: false,
  smallOnly: false,
  rttMs: undefined,
  isLost: false,
};
export const PROVED: TunnelView = { proved: true, smallOnly: false, rttMs: 0.4567, isLost: false };

/** Of a node 1 that is alone and gives addresses; a moment of the monotonic clock is that long after 2026 began. */
export function factsWith(different: Partial<StatusFacts>): StatusFacts {
  return {
    node: {
      version: 1,
      id: 1,
      name: "host1",
      cluster: "hansa",
      subnet: SUBNET,
      targets: [],
      links: [],
      ports: { gossip: 6783, overlay: 6784, api: 1443 },
      encryption: "wireguard",
    },
    version: "1.2.3",
    endpoint: { ip: "192.168.48.11", port: 6783 },
    engineId: "ABCD:EFGH",
    roster: rosterWith(),
    remembered: [],
    targets: [],
    rejections: [],
    rows: new Map(),
    addresses: {
      ready: true,
      fenced: false,
      subnet: SUBNET,
      range: "10.40.0.0/13",
      free: 131_069,
      asking: undefined,
      conflicts: 0,
      entries: [1, 2, 3, 4].map((id) => ({
        id,
        addresses: 131_072,
        percent: 25,
        fixedAddresses: 114_688,
        free: 131_072,
        born: true,
        ...(id === 1 ? { active: 2 } : {}),
      })),
      segments: { dynamic: [], fixed: [] },
    },
    dns: { domain: "hansa", address: "10.32.0.1", ttl: 1, ready: true, entries: [] },
    links: () => [],
    mtu: 1420,
    tunnel: () => NO_TUNNEL,
    path: () => ({ kind: "direct" }),
    hasDialled: () => false,
    wallTime: (ms) => new Date(Date.UTC(2026, 0, 1) + ms),
    warnings: [],
    ...different,
  };
}
