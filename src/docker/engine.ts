/**
 * The Docker Engine as Hansa needs it: networks, the containers on them, and what happens to both.
 *
 * A port: `HttpEngine` speaks to a real one, `FakeEngine` remembers. Every method throws DOCKER_UNREACHABLE when no Engine
 * answers, DOCKER_TOO_OLD when it is older than API 1.40, and DOCKER_REFUSED with the Engine's own words when it refuses. What is
 * not there is undefined or false, not an error.
 */

import type { ContainerEngine } from "./container-engine.ts";

export interface EngineInfo {
  /** Made by Docker at its first start; stable. */
  readonly id: string;
  /** The host name as Docker knows it. */
  readonly name: string;
  /** "20.10.24+dfsg1". */
  readonly version: string;
  /** What both sides speak, "1.41". */
  readonly apiVersion: string;
  readonly liveRestore: boolean;
  /** What Docker writes its firewall rules with; older Engines know iptables only. */
  readonly firewall: "iptables" | "nftables" | "firewalld";
  readonly rootless: boolean;
}

export interface NetworkSpec {
  readonly name: string;
  /** "bridge". */
  readonly driver: string;
  readonly ipamDriver: string;
  /** "10.32.0.0/12". */
  readonly subnet: string;
  /** "10.32.0.1". */
  readonly gateway: string;
  /** Driver options, such as com.docker.network.bridge.name. */
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
}

export interface Network extends NetworkSpec {
  readonly id: string;
  /** Endpoints of running containers. */
  readonly endpoints: readonly NetworkEndpoint[];
}

export interface NetworkEndpoint {
  readonly containerId: string;
  readonly containerName: string;
  /** "10.40.0.1", without prefix; empty when it has none. */
  readonly address: string;
  readonly mac: string;
}

/** "created", "running", "paused", "restarting", "removing", "exited", "dead". */
export type ContainerStatus = string;

export interface Attachment {
  /** The network's name, as in the container's settings. */
  readonly network: string;
  /** Empty while the container was never started. */
  readonly networkId: string;
  /** Held now; empty when not running. */
  readonly address: string;
  /** Asked for with --ip; empty when none. */
  readonly fixedAddress: string;
  /** Names that the user gave the container on this network. */
  readonly aliases: readonly string[];
}

export interface Container {
  readonly id: string;
  /** Without the slash. */
  readonly name: string;
  readonly image: string;
  /** "sha256:…" of the image as it was when the container was made. */
  readonly imageId: string;
  readonly hostname: string;
  readonly status: ContainerStatus;
  readonly running: boolean;
  readonly exitCode: number;
  /** What kept Docker from starting it, such as the words of an address plugin; empty when nothing. */
  readonly error: string;
  /** "no", "always", "unless-stopped", "on-failure". */
  readonly restartPolicy: string;
  /** When it was last started and ended, RFC 3339; Docker's year 1 when never. */
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly attachments: readonly Attachment[];
  /** RFC 3339. */
  readonly createdAt: string;
  /** "starting", "healthy", "unhealthy"; empty without a health check. */
  readonly health: string;
  /** Whether the kernel ended it for want of memory. */
  readonly oomKilled: boolean;
  /** Published ones, and those that the image or the user only names. */
  readonly ports: readonly ContainerPort[];
}

export interface ContainerPort {
  readonly port: number;
  /** "tcp", "udp", "sctp". */
  readonly protocol: string;
  /** Of the host; undefined when it is not published. */
  readonly hostPort: number | undefined;
  /** "0.0.0.0", "::", or one address of the host; empty for all, and when it is not published. */
  readonly hostAddress: string;
}

export interface ContainerSummary {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly status: ContainerStatus;
  readonly labels: Readonly<Record<string, string>>;
}

export type EngineEvent =
  /** A connection begins: what happened before is unknown, so look at everything. First of all, and after each gap. */
  | { readonly kind: "resync" }
  /** The Engine went away; a resync follows when it is back. */
  | { readonly kind: "lost" }
  | ObjectEvent;

/** Something happened to one object. */
export interface ObjectEvent {
  readonly kind: "container" | "network" | "image";
  /** "start", "die", "destroy", "rename", "connect", "disconnect", "pull", "delete", … */
  readonly action: string;
  /** Of the container, the network or the image. */
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly timeMs: number;
}

export interface Engine {
  /** What goes on inside of one container. */
  readonly inside: ContainerEngine;
  info(): Promise<EngineInfo>;
  /** The new network's id. A name in use is DOCKER_REFUSED. */
  createNetwork(spec: NetworkSpec): Promise<string>;
  /** By id or name. */
  inspectNetwork(network: string): Promise<Network | undefined>;
  /** False when there is none. With containers on it: DOCKER_REFUSED. */
  removeNetwork(network: string): Promise<boolean>;
  /** Stopped ones too; only those attached to `network` when given. */
  listContainers(filter?: { readonly network?: string }): Promise<readonly ContainerSummary[]>;
  /** By id or name. */
  inspectContainer(container: string): Promise<Container | undefined>;
  /** Whether the host has this image, by id or name. */
  hasImage(image: string): Promise<boolean>;
  /** False when there is none; a running one stays as it is. */
  startContainer(container: string): Promise<boolean>;
  connectNetwork(
    network: string,
    container: string,
    options?: { readonly address?: string; readonly aliases?: readonly string[] },
  ): Promise<void>;
  disconnectNetwork(network: string, container: string, force: boolean): Promise<void>;
  /** Events of containers, networks and images, reconnecting by itself until `signal` aborts; then it ends without an error. */
  events(signal: AbortSignal): AsyncIterable<EngineEvent>;
}
