/**
 * What a report asks a host's programs: the file that the answer becomes, and the words. Pure.
 *
 * Invariant: nothing here changes the host or prints a secret of ours: `wg show` hides keys, and containers are listed without their commands
 * and environments.
 */

export interface Question {
  /** The file's name in the report. */
  readonly file: string;
  readonly argv: readonly string[];
}

const CONTAINERS = "{{.ID}}\t{{.Names}}\t{{.Image}}\t{{.Status}}\t{{.Ports}}";
const SETTINGS = "^net\\.(bridge|ipv4\\.(ip_forward|conf|neigh))|^kernel\\.(osrelease|hostname)";

export const QUESTIONS: readonly Question[] = [
  { file: "host/kernel.txt", argv: ["uname", "-a"] },
  { file: "host/uptime.txt", argv: ["uptime"] },
  { file: "host/clock.txt", argv: ["timedatectl", "show"] },
  { file: "host/memory.txt", argv: ["free", "-m"] },
  { file: "host/disks.txt", argv: ["df", "-h"] },
  { file: "host/settings.txt", argv: ["sysctl", "-a", "-r", SETTINGS] },
  { file: "host/addresses.txt", argv: ["ip", "-details", "address", "show"] },
  { file: "host/routes.txt", argv: ["ip", "route", "show", "table", "all"] },
  { file: "host/rules.txt", argv: ["ip", "rule", "show"] },
  { file: "host/bridges.txt", argv: ["bridge", "-details", "link", "show"] },
  { file: "host/nftables.txt", argv: ["nft", "list", "ruleset"] },
  { file: "host/iptables.txt", argv: ["iptables-save"] },
  { file: "host/sockets.txt", argv: ["ss", "-lntup"] },
  { file: "host/wireguard.txt", argv: ["wg", "show", "all"] },
  { file: "docker/version.txt", argv: ["docker", "version"] },
  { file: "docker/info.txt", argv: ["docker", "info"] },
  { file: "docker/network.json", argv: ["docker", "network", "inspect", "hansa"] },
  {
    file: "docker/containers.txt",
    argv: ["docker", "ps", "-a", "--no-trunc", "--filter", "network=hansa", "--format", CONTAINERS],
  },
  { file: "journal/hansa.txt", argv: journalOf("hansa*") },
  { file: "journal/docker.txt", argv: journalOf("docker") },
];

function journalOf(unit: string): string[] {
  return ["journalctl", "--no-pager", "--output", "short-iso", "--lines", "2000", "--unit", unit];
}
