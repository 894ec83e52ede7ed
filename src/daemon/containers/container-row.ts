/** A container as Docker shows it, as a row of `hansa ps`. Pure. */
import type { ContainerRow } from "../../api/container-schema.ts";
import type { LifeState } from "../../api/life-states.ts";
import { DOCKER_NETWORK_NAME } from "../../overlay/docker-network.ts";
import type { NodeId } from "../../values/node-id.ts";
import type { WatchedContainer } from "./container-watch.ts";

const GROUP = "com.docker.compose.project";
const SERVICE = "com.docker.compose.service";
const DEPENDS_ON = "com.docker.compose.depends_on";
/** Ends that somebody asked for: 0, and those of SIGKILL and SIGTERM, which docker stop sends. */
const CALM_EXITS = new Set([0, 137, 143]);
/** Docker's year 1 stands for never. */
const NEVER = "0001-";
const MAX_TEXT = 300;

export function containerRow(
  node: { readonly id: NodeId; readonly name: string },
  container: WatchedContainer,
): ContainerRow {
  const { id, name, labels, error, running, exitCode, status } = container;
  const group = labels[GROUP] || null;
  const attachment = container.attachments.find(({ network }) => network === DOCKER_NETWORK_NAME);
  const state = lifeState(container);
  return {
    node: { id: node.id, name: node.name },
    id,
    group: group && cut(group),
    name: cut((group && labels[SERVICE]) || name),
    dockerName: cut(name),
    image: cut(imageName(container.image)),
    addresses: attachment?.address ? [attachment.address] : [],
    ports: portsOf(container),
    dependsOn: group === null ? [] : dependenciesOf(group, labels[DEPENDS_ON] ?? ""),
    imageState: { state: container.hasImage ? "pulled" : "idle", percent: null, error: null },
    engine: "docker",
    engineState: status,
    state,
    stateSince: sinceOf(container, state),
    exitCode: running || status === "created" ? null : exitCode,
    error: error === "" ? null : cut(error),
  };
}

/** With its tag: Docker takes `latest` where none is named. Ids and digests stay as they are. */
export function imageName(image: string): string {
  const isExact = image.includes("@") || /^(sha256:)?[0-9a-f]{64}$/.test(image) || image === "";
  const last = image.slice(image.lastIndexOf("/") + 1);
  return isExact || last.includes(":") ? image : `${image}:latest`;
}

function lifeState(container: WatchedContainer): LifeState {
  const { status, health, exitCode, error, oomKilled } = container;
  if (status === "running") {
    if (health === "starting" || health === "unhealthy") return health;
    return "running";
  }
  if (status === "paused" || status === "restarting" || status === "removing") return status;
  if (status === "created") return error === "" ? "created" : "failed";
  const isCalm = status === "exited" && error === "" && !oomKilled && CALM_EXITS.has(exitCode);
  return isCalm ? "stopped" : "failed";
}

function sinceOf(container: WatchedContainer, state: LifeState): string | null {
  const { createdAt, startedAt, finishedAt, status } = container;
  // When it was paused, or fell ill, Docker does not tell.
  if (state === "paused" || state === "unhealthy" || state === "removing") return null;
  if (status === "created") return moment(createdAt);
  return moment(status === "running" ? startedAt : finishedAt);
}

/** In whole milliseconds: Docker's nanoseconds are no date elsewhere. */
function moment(text: string): string | null {
  const ms = text.startsWith(NEVER) ? Number.NaN : Date.parse(text);
  return Number.isNaN(ms) ? null : new Date(ms).toISOString();
}

/** One row for IPv4 and IPv6 where both are published alike. */
function portsOf({ ports }: WatchedContainer): ContainerRow["ports"] {
  const rows = new Map<string, ContainerRow["ports"][number]>();
  for (const { port, protocol, hostPort, hostAddress } of ports) {
    const isAll = ["", "0.0.0.0", "::"].includes(hostAddress);
    const address = isAll || hostPort === undefined ? null : hostAddress;
    const row = { port, protocol, hostPort: hostPort ?? null, hostAddress: address };
    rows.set(JSON.stringify(row), row);
  }
  return [...rows.values()];
}

/** Compose writes "db:service_started:false,cache:service_healthy:true". */
function dependenciesOf(group: string, label: string): string[] {
  const names = label.split(",").flatMap((part) => part.split(":")[0]?.trim() || []);
  return [...new Set(names)].sort().map((name) => cut(`${group}.${name}`));
}

function cut(text: string): string {
  return text.length <= MAX_TEXT ? text : text.slice(0, MAX_TEXT);
}
