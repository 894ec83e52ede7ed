/**
 * The Docker network `hansa`, as the body of POST /networks/create.
 *
 * Docker cannot change a network's options later: where `dockerNetworkDiffers` says so (Docker was upgraded to 28, the
 * MTU or subnet changed), it has to be removed and created again, which needs all containers off it.
 */
import { formatCidr } from "../values/cidr.ts";
import { formatIpv4 } from "../values/ipv4.ts";
import { overlayMtu } from "./mtu.ts";
import { type OverlayInput, TUNNEL_DEVICES } from "./overlay-config.ts";

export const DOCKER_NETWORK_NAME = "hansa";

export interface DockerNetworkBody {
  readonly Name: string;
  readonly CheckDuplicate: true;
  readonly Driver: "bridge";
  readonly EnableIPv6: false;
  readonly Internal: false;
  readonly Attachable: false;
  readonly IPAM: {
    readonly Driver: "hansa";
    readonly Config: readonly [{ readonly Subnet: string; readonly Gateway: string }];
  };
  readonly Options: Readonly<Record<string, string>>;
}

type NetworkInput = Pick<
  OverlayInput,
  "self" | "subnet" | "bridge" | "backend" | "linkMtu" | "peers" | "docker"
>;

/** Docker's first number: 20 for "20.10.24+dfsg1"; 0 when it cannot be read, which stands for the oldest. */
export function dockerMajor(version: string): number {
  return Number(/^v?(\d{1,6})\./.exec(version)?.[1] ?? 0);
}

/** The whole body for this host. The gateway is the node address, which the IPAM plugin must grant as asked. */
export function dockerNetwork(input: NetworkInput): DockerNetworkBody {
  const bridge = "com.docker.network.bridge";
  const mtu = overlayMtu(
    input.backend,
    input.linkMtu,
    input.peers.flatMap((peer) => peer.endpoint?.ip ?? []),
  );
  return {
    Name: DOCKER_NETWORK_NAME,
    // Before Docker 25 two networks may have one name unless this is set; later versions ignore it.
    CheckDuplicate: true,
    Driver: "bridge",
    EnableIPv6: false,
    Internal: false,
    Attachable: false,
    IPAM: {
      Driver: "hansa",
      Config: [{ Subnet: formatCidr(input.subnet), Gateway: formatIpv4(input.self.address) }],
    },
    Options: {
      [`${bridge}.name`]: input.bridge,
      [`${bridge}.enable_icc`]: "true",
      // Docker would also hide containers' addresses from other hosts; our own rule masquerades to the outside only.
      [`${bridge}.enable_ip_masquerade`]: "false",
      "com.docker.network.driver.mtu": String(mtu),
      // Older versions refuse the mode. Unprotected means by Docker: our own table protects.
      ...(dockerMajor(input.docker.version) >= 28 && {
        [`${bridge}.gateway_mode_ipv4`]: "nat-unprotected",
        [`${bridge}.trusted_host_interfaces`]: TUNNEL_DEVICES[input.backend],
      }),
    },
  };
}

/** The names of what an existing network (from GET /networks/hansa) has otherwise than `wanted`; empty when it will do. */
export function dockerNetworkDiffers(
  wanted: DockerNetworkBody,
  existing: {
    readonly Driver?: string;
    readonly IPAM?: {
      readonly Driver?: string;
      readonly Config?: readonly { readonly Subnet?: string; readonly Gateway?: string }[] | null;
    };
    readonly Options?: Readonly<Record<string, string>> | null;
  },
): string[] {
  const [config] = wanted.IPAM.Config;
  const found = existing.IPAM?.Config?.[0];
  const differs: string[] = [];
  if (existing.Driver !== wanted.Driver) differs.push("driver");
  if (existing.IPAM?.Driver !== wanted.IPAM.Driver) differs.push("IPAM driver");
  if (found?.Subnet !== config.Subnet) differs.push("subnet");
  if (found?.Gateway !== config.Gateway) differs.push("gateway");
  for (const [name, value] of Object.entries(wanted.Options)) {
    if (existing.Options?.[name] !== value) differs.push(name);
  }
  return differs;
}
