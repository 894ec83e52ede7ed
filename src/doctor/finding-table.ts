/** The one table of what only the doctor finds; docs/reference/doctor.md is made from it. Codes never change meaning. */
import type { ErrorCode } from "../errors.ts";

interface FindingEntry {
  readonly title: string;
  /** Of an occurrence that is not told otherwise. */
  readonly severity: "error" | "warning";
  /** What was looked at, and why it matters. */
  readonly about: string;
  /** What to do where the finding itself does not know more exactly. */
  readonly mend: string;
}

export const FINDINGS = {
  DOCTOR_CHECKSUM_OFFLOAD: {
    title: "packets arrive with broken checksums",
    severity: "warning",
    about:
      "the kernel counted packets with wrong checksums while the doctor's own were under way; the usual cause is a network card or its driver that computes checksums wrongly (checksum offload)",
    mend: "on the sending host turn it off: ethtool -K INTERFACE tx off",
  },
  DOCTOR_CLOCK_SKEW: {
    title: "the clocks of two nodes differ",
    severity: "warning",
    about:
      "measured by an authenticated exchange with the peer, half of its round trip taken off; logs do not line up, and certificates may count as expired or not yet valid",
    mend: "keep the clocks of both hosts by NTP: apt-get install systemd-timesyncd",
  },
  DOCTOR_CLOCK_UNSYNCED: {
    title: "nothing keeps the host's clock",
    severity: "warning",
    about:
      "neither does systemd say that the clock is synchronised, nor does a program run that does it; hosts whose clock is another's to keep (containers) are not asked",
    mend: "apt-get install systemd-timesyncd, or chrony",
  },
  DOCTOR_DISK_LOW: {
    title: "the disk is nearly full",
    severity: "warning",
    about:
      "free space and inodes where hansa keeps its state; what cannot be written is not done: no address is given, no change of space answered. An error below 20 MiB",
    mend: "free some space: docker system df tells what Docker uses",
  },
  DOCTOR_DOCKER_USER_MISSING: {
    title: "the rules in DOCKER-USER are missing",
    severity: "error",
    about:
      "Docker's firewall drops what is forwarded between tunnel and containers unless two rules of ours in its chain DOCKER-USER let it pass; the daemon puts them back within 30 s, so something removes them",
    mend: "find what flushes Docker's chains (firewalld, ufw, iptables-restore of saved rules) and let it leave DOCKER-USER alone",
  },
  DOCTOR_FORWARDING_OFF: {
    title: "the kernel does not forward packets",
    severity: "error",
    about: "net.ipv4.ip_forward is 0, so that no packet passes between containers and the tunnel",
    mend: "sysctl -w net.ipv4.ip_forward=1, and take what sets it to 0 out of /etc/sysctl.d",
  },
  DOCTOR_FSYNC_SLOW: {
    title: "the disk writes slowly",
    severity: "warning",
    about:
      "the median of some small writes with fsync where hansa keeps its state, above 500 ms; each change of address space waits for one",
    mend: "find what keeps the disk busy (iostat -x 1), or put /var/lib/hansa on a faster one",
  },
  DOCTOR_LEASE_LEAKED: {
    title: "an address is leased to no container",
    severity: "warning",
    about:
      "Docker did not say that it gave an address back, as when it is killed; the daemon frees such a lease when it is older than 60 s",
    mend: "wait a minute, the daemon frees it by itself; or free it at once: hansa ipam check --repair",
  },
  DOCTOR_LINK_DOWN: {
    title: "one of several links to a peer is down",
    severity: "warning",
    about:
      "no probe passes both ways between the two addresses; the pair goes on by another link, and is lost when that one fails too",
    mend: "see on both hosts whether the interface is up and the other address is routed to it (ip route get), and open 6783/udp and 6784/udp there",
  },
  DOCTOR_NEIGHBOUR_TABLE_SMALL: {
    title: "the table of neighbours is small",
    severity: "warning",
    about:
      "net.ipv4.neigh.default.gc_thresh3 limits how many pairs of containers may talk at one time on the whole machine; beyond it packets are lost without a word",
    mend: "sysctl -w net.ipv4.neigh.default.gc_thresh3=65536, and the same in /etc/sysctl.d/90-hansa.conf",
  },
  DOCTOR_NFTABLES_UNUSABLE: {
    title: "nftables cannot be used",
    severity: "error",
    about: "the overlay's own firewall is an nftables table; nft could not list the tables",
    mend: "load the kernel's nf_tables (modprobe nf_tables), and run as root",
  },
  DOCTOR_NOT_ROOT: {
    title: "not all could be looked at",
    severity: "warning",
    about: "without root privileges the state, the firewall and the processes are not shown",
    mend: "sudo hansa doctor",
  },
  DOCTOR_OWNER_UNREACHABLE: {
    title: "a node that owns addresses is out of reach",
    severity: "warning",
    about:
      "addresses that it owns can be given out by nobody else meanwhile: --ip of one of them is refused, and its space helps no other node",
    mend: "bring the node back; if it is gone for good, on one node: hansa ipam take-over NODE",
  },
  DOCTOR_PATH_MTU: {
    title: "large packets are lost between two hosts",
    severity: "error",
    about:
      "datagrams of several sizes were sent to the peer's own address, and by it to ours; what is larger than the path takes vanishes, so that connections begin and then hang",
    mend: "lower the MTU of the interface on both hosts; the tunnel follows",
  },
  DOCTOR_PEER_SILENT: {
    title: "a peer does not answer the doctor",
    severity: "warning",
    about: "gossip hears the peer, but it answered no question: it may run an older version",
    mend: "compare hansa version on both hosts, and run hansa doctor there",
  },
  DOCTOR_PEER_UNREACHABLE: {
    title: "a peer is out of reach",
    severity: "error",
    about: "nothing came back from a node once met, by TCP, UDP or tunnel",
    mend: "see whether the host is up and hansa runs there",
  },
  DOCTOR_PLUGIN_SPEC: {
    title: "Docker cannot find the address plugin after a restart",
    severity: "error",
    about:
      "the file that tells Docker where the plugin's socket is; without it Docker gives up on all containers of the network hansa at its next start",
    mend: "write it again",
  },
  DOCTOR_PORT_BLOCKED: {
    title: "a port is blocked between two hosts",
    severity: "error",
    about:
      "each port was tried both ways: the peer was asked what of ours arrived there, and to try the same towards us",
    mend: "open the port in the firewall of the receiving host, and of the network between",
  },
  DOCTOR_PROCESS_DOWN: {
    title: "a process of hansa does not run",
    severity: "error",
    about: "the processes that a launched node consists of, and what keeps them alive",
    mend: "hansa resume",
  },
  DOCTOR_RELAYED: {
    title: "a relay carries a tunnel",
    severity: "warning",
    about:
      "the tunnel's own UDP port does not pass between the two hosts, so its packets go by TCP, perhaps through a third node: that works, but costs speed and hangs on more",
    mend: "open the overlay port for UDP on both hosts and between them; the tunnel then takes the direct path by itself",
  },
  DOCTOR_STORE_PORT_TAKEN: {
    title: "another program has a port of the store",
    severity: "warning",
    about:
      "a node takes a vote in the store only where its etcd can have both of its ports, 2379 on loopback and 9212 at the node's address in the overlay unless it was launched with others; the etcd that Debian starts when it is installed holds the first. Nothing of another's is ended",
    mend: "stop that program (Debian's own etcd: systemctl disable --now etcd), or launch with another --store-port or --raft-port",
  },
  DOCTOR_TARGET_UNREACHED: {
    title: "a target leads to no node",
    severity: "warning",
    about:
      "what was given to launch or connect was tried more than once, and no node of this cluster answers there; this node itself is none. An error while no other node is heard at all",
    mend: "launch hansa on that host, or take the target away: hansa forget TARGET",
  },
  DOCTOR_TUN_MISSING: {
    title: "the host can make no tunnel",
    severity: "error",
    about:
      "the kernel has no WireGuard, and without /dev/net/tun wireguard-go cannot make a tunnel either",
    mend: "modprobe tun",
  },
  DOCTOR_TUNNEL_DEAD: {
    title: "nothing comes through a tunnel",
    severity: "error",
    about: "the hosts hear each other outside of the tunnel, but no probe came back through it",
    mend: "see the tunnel's log on both hosts: /var/lib/hansa/log/tunnel.log",
  },
  DOCTOR_TUNNEL_MTU: {
    title: "large packets are lost in a tunnel",
    severity: "error",
    about:
      "small probes pass the tunnel, those as large as its MTU do not, though such datagrams pass between the hosts themselves",
    mend: "give interfaces on the way one MTU; see the MTU of hansa0 and of the interface on both hosts",
  },
  DOCTOR_WIREGUARD_GO_OLD: {
    title: "wireguard-go is old and slow",
    severity: "warning",
    about:
      "versions before 2023 (Debian 12 has one of 2022) carry about a quarter of what newer ones do",
    mend: "install it from Debian's backports and restart the tunnel: apt-get install -t bookworm-backports wireguard-go",
  },
} as const satisfies Record<string, FindingEntry>;

export type FindingCode = keyof typeof FINDINGS;

/** Of the codes of src/errors.ts that the doctor reports, those that are errors; the rest are warnings. */
export const SEVERITIES: Partial<Record<ErrorCode, "error">> = {
  CLUSTER_DIFFERS: "error",
  DOCKER_REFUSED: "error",
  DOCKER_TOO_OLD: "error",
  DOCKER_UNREACHABLE: "error",
  INTERNAL: "error",
  IPAM_ADDRESS_TWICE: "error",
  IPAM_PLUGIN_UNREACHABLE: "error",
  NODE_DEPARTED: "error",
  NODE_NOT_RUNNING: "error",
  NODE_TWIN: "error",
  OVERLAY_REFUSED: "error",
  OVERLAY_TUNNEL_MISSING: "error",
  PORT_TAKEN: "error",
  STATE_DAMAGED: "error",
  STATE_UNWRITABLE: "error",
  STORE_DAMAGED: "error",
  STORE_DISK_FULL: "error",
  STORE_FULL: "error",
  STORE_NO_QUORUM: "error",
  STORE_OTHER: "error",
  STORE_REFUSED: "error",
  STORE_UNREACHABLE: "error",
  SUBNET_COLLISION: "error",
  TOOL_MISSING: "error",
};
