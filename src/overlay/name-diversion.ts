/**
 * The part of our firewall table that brings containers' questions about `.hansa` to this node's name server.
 *
 * Docker's resolver (127.0.0.11) asks the host's name servers for what it does not know: from inside the container's network, or from
 * the host's when they are loopback addresses. On that way questions about our zone, and no others, are sent to the node's own address
 * instead. So the daemon is never in the way of any other name, alive or dead. The kernel tells them by their bytes: the
 * zone's label, in any case of letters, followed by the root, at each place where a name of up to 100 characters can end.
 */

/** UDP, on the node's own address only: where diverted queries arrive. */
export const DIVERTED_DNS_PORT = 6785;

/** The longest name below the zone that is found, in characters; src/names has the same bound. */
export const LONGEST_DIVERTED = 100;

/** UDP's header and DNS's: the question's name begins behind them. */
const NAME_AT = 8 + 12;
/** The label "HANSA" with its length before and the root behind, and the mask that makes letters capitals. */
const LABEL = "0x548414e534100";
const MASK = "0xffdfdfdfdfdfff";

/** The table's chains: name and lines. `address` is the node's own, dotted. */
export function planNameDiversion(input: {
  readonly bridge: string;
  readonly address: string;
}): readonly (readonly [string, readonly string[]])[] {
  const find: string[] = [];
  // A name of n characters takes n + 1 bytes, and one label of one character is the shortest.
  for (let before = 2; before <= LONGEST_DIVERTED + 1; before++) {
    find.push(`@th,${(NAME_AT + before) * 8},56 & ${MASK} == ${LABEL} goto names-ours`);
  }
  return [
    ["names-ours", [`udp dport 53 dnat ip to ${input.address}:${DIVERTED_DNS_PORT}`]],
    ["names-find", find],
    [
      "names-containers",
      [
        "type nat hook prerouting priority dstnat - 10; policy accept;",
        `iifname "${input.bridge}" udp dport 53 jump names-find`,
        // A container on other networks too asks through the one that has its default route.
        'iifname "br-*" udp dport 53 jump names-find',
      ],
    ],
    [
      "names-host",
      [
        "type nat hook output priority -110; policy accept;",
        "ip daddr 127.0.0.0/8 udp dport 53 jump names-find",
      ],
    ],
  ];
}

/** For the raw output chain, before what is not tracked: answers must find their way back through the translation. */
export function planNameAnswers(input: { readonly bridge: string }): string {
  return `oifname "${input.bridge}" udp sport ${DIVERTED_DNS_PORT} accept`;
}
