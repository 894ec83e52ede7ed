/**
 * The part of our firewall table that brings containers' questions about `.hansa` to this node's name server.
 *
 * Docker's resolver (127.0.0.11) asks the host's name servers for what it does not know: from inside the container's network, or from
 * the host's when they are loopback addresses. On that way questions about our zone, and no others, are sent to the node's own address
 * instead. So the daemon is never in the way of any other name, alive or dead. The kernel tells them by their bytes: the
 * zone's label, in any case of letters, followed by the root, at each place where a name of up to 100 characters can end.
 *
 * Invariant: each packet is judged by itself. The translation is kept by connection tracking for minutes, under the ports used, and Docker's resolver
 * soon uses a port again for another name. So our questions are tracked in a zone of their own, where no other packet finds them.
 */

/** UDP, on the node's own address only: where diverted queries arrive. */
export const DIVERTED_DNS_PORT = 6785;

/** The longest name below the zone that is found, in characters; src/names has the same bound. */
export const LONGEST_DIVERTED = 100;

/**
 * The bridges of Docker's other networks, by the names that Docker gives them: user-defined networks; the default one (docker0), and the
 * one by which swarm's containers reach the outside (docker_gwbridge). A container has its default route on any network that it is on.
 */
const DOCKERS_BRIDGES = ["br-*", "docker*"] as const;

/** Of connection tracking: a number that nobody else is likely to use. */
const TRACKING_ZONE = 6785;
/** UDP's header and DNS's: the question's name begins behind them. */
const NAME_AT = 8 + 12;
/** The label "HANSA" with its length before and the root behind, and the mask that makes letters capitals. */
const LABEL = "0x548414e534100";
const MASK = "0xffdfdfdfdfdfff";

/** The table's chains: name and lines. */
export function planNameDiversion(input: {
  readonly bridge: string;
  /** The subnet's text: who asks a server inside the overlay means that one. */
  readonly subnet: string;
  /** The node's own address, dotted. */
  readonly address: string;
}): readonly (readonly [string, readonly string[]])[] {
  const find: string[] = [];
  // A name of n characters takes n + 1 bytes, and one label of one character is the shortest.
  for (let before = 2; before <= LONGEST_DIVERTED + 1; before++) {
    find.push(`@th,${(NAME_AT + before) * 8},56 & ${MASK} == ${LABEL} goto names-ours`);
  }
  const asked = `ip daddr != ${input.subnet} udp dport 53 jump names-find`;
  const divert = `ct zone ${TRACKING_ZONE} udp dport 53 dnat ip to ${input.address}:${DIVERTED_DNS_PORT}`;
  return [
    ["names-ours", [`ct zone set ${TRACKING_ZONE}`]],
    ["names-find", find],
    [
      "names-containers",
      [
        "type filter hook prerouting priority raw; policy accept;",
        // A container on other networks too asks through the one that has its default route.
        ...[input.bridge, ...DOCKERS_BRIDGES].map((bridge) => `iifname "${bridge}" ${asked}`),
      ],
    ],
    [
      "names-host",
      [
        "type filter hook output priority raw; policy accept;",
        "ip daddr 127.0.0.0/8 udp dport 53 jump names-find",
      ],
    ],
    [
      "names-divert-containers",
      ["type nat hook prerouting priority dstnat - 10; policy accept;", divert],
    ],
    ["names-divert-host", ["type nat hook output priority -110; policy accept;", divert]],
  ];
}

/** For the raw output chain, before what is not tracked: answers must find their way back through the translation. */
export function planNameAnswers(address: string): string {
  return `ip saddr ${address} udp sport ${DIVERTED_DNS_PORT} ct zone set ${TRACKING_ZONE} accept`;
}
