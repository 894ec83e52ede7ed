/**
 * TLS of the relay's streams: 1.3 only, and both sides show a certificate of the cluster's authority.
 *
 * The authority is made here anew, from the roots, under the label that travels in clear before each gossip packet: a stranger who
 * connects sees neither the cluster's name nor whose node it is. Which node speaks is said after the handshake, as in gossip's envelopes: whoever
 * has the roots is every peer. All roots are trusted, the first signs, so that streams survive a `rekey` half way.
 *
 * The certificates have no dates: they are made anew at each start of a daemon, and a host whose clock is wrong, or a daemon that runs for more than
 * a year, must not lose its traffic by them.
 */
import type { SecureContextOptions } from "node:tls";
import { ALWAYS, createAuthority } from "../identity/authority.ts";
import { gossipLabel } from "../identity/derived-keys.ts";

/** Both sides must offer it: another protocol, or another version of ours, is refused in the handshake. */
export const RELAY_PROTOCOL = "hansa-relay/1";

/** Key, certificate and trusted authorities of this node. */
export async function relayTls(roots: readonly Uint8Array[]): Promise<SecureContextOptions> {
  const authorities = await Promise.all(
    roots.map((root) => createAuthority(root, gossipLabel(root), ALWAYS)),
  );
  const [signer] = authorities;
  if (signer === undefined) throw new RangeError("an identity has at least one root");
  const leaf = await signer.mint({ names: ["relay"], name: "relay", addresses: [] });
  return {
    key: leaf.privateKey,
    cert: leaf.certificate,
    ca: authorities.map(({ certificate }) => certificate),
    minVersion: "TLSv1.3",
  };
}
