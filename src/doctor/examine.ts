/** From facts to a report: all checks in their order, and what is worth knowing though nothing is wrong with it. Pure. */
import { leases, owners, warnings } from "./checks/addresses.ts";
import type { Check } from "./checks/check.ts";
import { clockKept, clockSkew } from "./checks/clocks.ts";
import { diskRoom, diskSpeed } from "./checks/disk.ts";
import { dockerReachable, dockerUser } from "./checks/docker.ts";
import {
  freePorts,
  nftables,
  privileges,
  programs,
  storePorts,
  tunnelDevice,
} from "./checks/host-needs.ts";
import { forwarding, neighbours } from "./checks/kernel-settings.ts";
import { links } from "./checks/links.ts";
import { checksums, paths } from "./checks/paths.ts";
import { daemonAnswers, pluginSpec, processesAlive } from "./checks/processes.ts";
import { subnet } from "./checks/subnet.ts";
import { targets } from "./checks/targets.ts";
import { wireguardGo, wireguardGoVersion } from "./checks/wireguard-go.ts";
import type { DockerState, Facts } from "./facts.ts";
import type { Finding } from "./finding.ts";

/** What is reported first is what the later ones may follow from. */
export const CHECKS: readonly Check[] = [
  privileges,
  dockerReachable,
  programs,
  tunnelDevice,
  nftables,
  freePorts,
  storePorts,
  subnet,
  daemonAnswers,
  processesAlive,
  pluginSpec,
  dockerUser,
  forwarding,
  neighbours,
  wireguardGo,
  diskRoom,
  diskSpeed,
  clockKept,
  clockSkew,
  targets,
  paths,
  links,
  checksums,
  leases,
  owners,
  warnings,
];

export interface Report {
  /** Null on a host where no node runs. */
  readonly node: { readonly id: number; readonly name: string } | null;
  readonly facts: { readonly name: string; readonly value: string }[];
  readonly checks: { readonly name: string; readonly skipped: string | null }[];
  /** Errors first. */
  readonly findings: Finding[];
}

export function examine(facts: Facts): Report {
  const { node } = facts;
  const results = CHECKS.map((check) => ({ name: check.name, result: check.run(facts) }));
  const findings = results.flatMap(({ result }) => ("skipped" in result ? [] : result));
  const isError = ({ severity }: Finding): boolean => severity === "error";
  return {
    node: node === undefined ? null : { id: node.id, name: node.name },
    facts: plainFacts(facts),
    checks: results.map(({ name, result }) => ({
      name,
      skipped: "skipped" in result ? result.skipped : null,
    })),
    findings: distinct([...findings.filter(isError), ...findings.filter((each) => !isError(each))]),
  };
}

/** Two checks may come upon one fault, as the node's own warnings do. */
function distinct(findings: readonly Finding[]): Finding[] {
  const seen = new Set<string>();
  return findings.filter(({ code, evidence }) => {
    const key = `${code} ${evidence}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

function plainFacts({ host, node }: Facts): Report["facts"] {
  const { docker, launched } = host;
  const wireguard = host.kernelHasWireguard
    ? "in the kernel"
    : `wireguard-go ${wireguardGoVersion(host.wireguardGo ?? "") ?? "of an unknown version"}`;
  const orHidden = (text: string): string => (host.isRoot ? text : "not shown: that needs root");
  const sorted = [...(host.fsyncMs ?? [])].sort((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)];
  const facts: (readonly [string, string | undefined])[] = [
    ["node", launched ? `${launched.id} (${launched.name})` : orHidden("never launched")],
    ["docker", docker.kind === "there" ? docker.version : orHidden("does not answer")],
    ["docker's firewall", docker.kind === "there" ? firewallText(docker.firewall) : undefined],
    ["live-restore", docker.kind === "there" ? liveRestoreText(docker.liveRestore) : undefined],
    ["wireguard", host.isEncrypted ? wireguard : "not used: the cluster is not encrypted"],
    [
      "mtu",
      node && `${node.linkMtu} on ${node.linkName ?? "the link"}, ${node.tunnelMtu} in the tunnel`,
    ],
    ["peers", node && `${node.peers.length} examined`],
    ["fsync", median === undefined ? undefined : `${median.toFixed(1)} ms`],
    ["subnet", host.subnet],
  ];
  return facts.flatMap(([name, value]) => (value === undefined ? [] : [{ name, value }]));
}

function firewallText(firewall: Extract<DockerState, { kind: "there" }>["firewall"]): string {
  switch (firewall) {
    case "iptables":
      return "iptables: two rules in DOCKER-USER let the overlay pass";
    case "nftables":
      return "nftables: the network's option trusted_host_interfaces lets the overlay pass";
    case "firewalld":
      return "firewalld: a reload of it makes Docker write its rules anew, ours within 30 s";
  }
}

function liveRestoreText(on: boolean): string {
  return on
    ? "on: containers run on while Docker restarts"
    : "off: containers stop and start with Docker";
}
