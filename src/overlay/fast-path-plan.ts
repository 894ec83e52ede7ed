/**
 * The fast path: TCP between containers of two hosts, from the bridge straight into the tunnel and back, by a second nftables table.
 *
 * An ingress hook on each of the two devices hands such a packet to the other device, past routing and past all hooks of forwarding,
 * ours and Docker's, which cost 4 to 7 % of VXLAN's throughput. It takes only what those would pass on unchanged: from a container's
 * own address to a peer's, or from an address that is the sending peer's to a container's. All else goes the ordinary way, as everything
 * does where the kernel has no such hook:
 *
 * - the packets that open a connection (SYN), so that all rules of the host judge each one, and its segments get the tunnel's size;
 * - UDP and ICMP, whose senders routing tells of what is unreachable or too large;
 * - what has no hops left: the hand-over would drop it without a word to its sender;
 * - fragments, of which only the first shows what it belongs to.
 *
 * Invariant: nothing passes here whose source or destination the table `inet hansa` would have dropped.
 */
import type { BackendPlan } from "./backend-plan.ts";
import { nftBlock, nftElement, nftSet } from "./nft-text.ts";
import { type OverlayInput, type OverlayPeer, TUNNEL_DEVICES } from "./overlay-config.ts";
import { ownBlocks } from "./routes-plan.ts";

/** Family and name of the table: only this family hands packets over. */
export const FAST_PATH_TABLE: readonly [string, string] = ["netdev", "hansa"];

/** The table's whole text, as `nft -s list table netdev hansa` prints it. Loads only while bridge and tunnel exist. */
export function planFastPath(
  input: OverlayInput,
  backend: BackendPlan,
  peers: readonly OverlayPeer[],
): string {
  const bridge = `"${input.bridge}"`;
  const tunnel = `"${TUNNEL_DEVICES[input.backend]}"`;
  const { sets, toTunnel, fromTunnel } = backend.fastPath(input, peers);
  const own = ownBlocks(input).map(nftElement);
  const hook = (device: string): string =>
    `type filter hook ingress device ${device} priority filter; policy accept;`;
  // To this host's own MAC, with a hop left, whole (16383 = 0x3fff: all but "don't fragment"), of a connection that was let through already.
  const taken = "meta pkttype host ip ttl > 1 ip frag-off & 16383 == 0 tcp flags ! syn";
  const blocks = [
    ...sets.map(([title, lines]) => nftBlock(title, lines)),
    nftBlock("set own", nftSet(["type ipv4_addr", "flags interval"], own, 2)),
    nftBlock("chain from_bridge", [
      hook(bridge),
      `${taken} ip saddr @own ${toTunnel} device ${tunnel}`,
    ]),
    nftBlock("chain from_tunnel", [
      hook(tunnel),
      `${taken} ip daddr @own ${fromTunnel} fwd ip to ip daddr device ${bridge}`,
    ]),
  ];
  return `table ${FAST_PATH_TABLE.join(" ")} {\n${blocks.join("\n")}}\n`;
}
