/** A cluster as seen by node 1, for tests: four owners, one of them unknown, addresses inside other nodes' ranges. */
import { parseCidr } from "../../values/cidr.ts";
import { parseIpv4 } from "../../values/ipv4.ts";
import type { Backend, DockerFacts, OverlayInput } from "../overlay-config.ts";

/** A well-formed public key that depends on `id` only. */
export function sampleKey(id: number): string {
  const bytes = Buffer.alloc(32, 7);
  bytes.writeUInt32BE(id);
  return bytes.toString("base64");
}

function ip(text: string): number {
  const address = parseIpv4(text);
  if (address === undefined) throw new Error(`${text} is no address`);
  return address;
}

/** The default subnet, both rings, peers 2, 3 and 5; node 4 owns space but is no known peer. */
export function sampleInput(docker: DockerFacts, backend: Backend = "wireguard"): OverlayInput {
  const quarters = (start: string, end: string): OverlayInput["segments"] => {
    const [from, size] = [ip(start), (ip(end) - ip(start)) / 4];
    return [1, 2, 3, 4].map((owner, index) => ({
      start: from + index * size,
      end: from + (index + 1) * size,
      owner,
    }));
  };
  const dynamic = quarters("10.40.0.0", "10.48.0.0");
  const fixed = quarters("10.33.0.0", "10.40.0.0");
  return {
    self: { id: 1, address: ip("10.32.0.1"), listenPort: 6784, underlay: "192.0.2.1" },
    backend,
    subnet: parseCidr("10.32.0.0/12") ?? { base: 0, prefix: 0 },
    bridge: "hansa0",
    linkMtu: 1500,
    peers: [5, 3, 2].map((id) => ({
      id,
      address: ip(`10.32.0.${id}`),
      publicKey: sampleKey(id),
      endpoint: id === 5 ? undefined : { ip: `192.0.2.${id}`, port: 6784 },
    })),
    segments: [
      ...dynamic.slice(2),
      ...fixed,
      // A fixed address of node 1 and a donated block of node 5 inside what was node 2's.
      { start: ip("10.40.0.0"), end: ip("10.42.0.0"), owner: 1 },
      { start: ip("10.42.0.0"), end: ip("10.43.0.0"), owner: 2 },
      { start: ip("10.43.0.0"), end: ip("10.43.0.7"), owner: 2 },
      { start: ip("10.43.0.7"), end: ip("10.43.0.8"), owner: 1 },
      { start: ip("10.43.0.8"), end: ip("10.43.1.0"), owner: 2 },
      { start: ip("10.43.1.0"), end: ip("10.44.0.0"), owner: 5 },
    ],
    docker,
  };
}
