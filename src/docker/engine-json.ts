/** The Engine's JSON into our values. Invariant: total; what is missing or of another type becomes empty, never undefined. */
import type { ContainerUsage } from "../values/container-usage.ts";
import type { PathStat } from "./container-engine.ts";
import type {
  Attachment,
  Container,
  ContainerPort,
  ContainerSummary,
  EngineEvent,
  EngineInfo,
  Network,
  NetworkEndpoint,
} from "./engine.ts";

type Json = Readonly<Record<string, unknown>>;

export function object(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Json)
    : {};
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function texts(value: unknown): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(object(value)).map(([key, each]) => [key, text(each)]));
}

export function toInfo(info: unknown, apiVersion: string): EngineInfo {
  const { ID, Name, ServerVersion, LiveRestoreEnabled, FirewallBackend, SecurityOptions } =
    object(info);
  const driver = text(object(FirewallBackend)["Driver"]);
  return {
    id: text(ID),
    name: text(Name),
    version: text(ServerVersion),
    apiVersion,
    liveRestore: LiveRestoreEnabled === true,
    firewall: driver.startsWith("nftables")
      ? "nftables"
      : driver.endsWith("firewalld")
        ? "firewalld"
        : "iptables",
    rootless: list(SecurityOptions).some((option) => text(option).includes("rootless")),
  };
}

export function toNetwork(value: unknown): Network {
  const { Id, Name, Driver, IPAM, Options, Labels, Containers } = object(value);
  const { Driver: ipamDriver, Config } = object(IPAM);
  const { Subnet, Gateway } = object(list(Config)[0]);
  return {
    id: text(Id),
    name: text(Name),
    driver: text(Driver),
    ipamDriver: text(ipamDriver),
    subnet: text(Subnet),
    // Some Engines keep the plugin's answer as it came, with the prefix length.
    gateway: withoutPrefix(text(Gateway)),
    options: texts(Options),
    labels: texts(Labels),
    endpoints: Object.entries(object(Containers)).map(([id, each]) => toEndpoint(id, each)),
  };
}

function toEndpoint(containerId: string, value: unknown): NetworkEndpoint {
  const { Name, IPv4Address, MacAddress } = object(value);
  return {
    containerId,
    containerName: text(Name),
    address: withoutPrefix(text(IPv4Address)),
    mac: text(MacAddress),
  };
}

export function toSummary(value: unknown): ContainerSummary {
  const { Id, Names, Image, State, Labels } = object(value);
  // A link gives a container more names, "/other/alias": its own has one slash.
  const own = list(Names)
    .map(text)
    .find((name) => name.lastIndexOf("/") === 0);
  return {
    id: text(Id),
    name: withoutSlash(own ?? ""),
    image: text(Image),
    status: text(State),
    labels: texts(Labels),
  };
}

export function toContainer(value: unknown): Container {
  const { Id, Name, Image, Created, State, Config, HostConfig, NetworkSettings } = object(value);
  const state = object(State);
  const config = object(Config);
  const policy = object(object(HostConfig)["RestartPolicy"]);
  const networks = object(object(NetworkSettings)["Networks"]);
  return {
    id: text(Id),
    name: withoutSlash(text(Name)),
    image: text(config["Image"]),
    imageId: text(Image),
    hostname: text(config["Hostname"]),
    status: text(state["Status"]),
    running: state["Running"] === true,
    exitCode: Number(state["ExitCode"] ?? 0),
    error: text(state["Error"]),
    restartPolicy: text(policy["Name"]) || "no",
    startedAt: text(state["StartedAt"]),
    finishedAt: text(state["FinishedAt"]),
    labels: texts(config["Labels"]),
    attachments: Object.entries(networks).map(([network, each]) => toAttachment(network, each)),
    createdAt: text(Created),
    health: text(object(state["Health"])["Status"]),
    oomKilled: state["OOMKilled"] === true,
    ports: toPorts(
      object(config["ExposedPorts"]),
      object(object(HostConfig)["PortBindings"]),
      object(object(NetworkSettings)["Ports"]),
    ),
  };
}

/** While it runs the Engine tells what is bound; before and after, what was asked for. */
function toPorts(exposed: Json, asked: Json, bound: Json): ContainerPort[] {
  const specs = new Set([...Object.keys(exposed), ...Object.keys(asked), ...Object.keys(bound)]);
  const ports = [...specs].flatMap((spec): ContainerPort[] => {
    const [, digits, protocol = "tcp"] = /^(\d{1,5})(?:\/([a-z]{1,8}))?$/.exec(spec) ?? [];
    if (digits === undefined) return [];
    const port = Number(digits);
    const bindings = [bound[spec], asked[spec]].map(list).find(({ length }) => length > 0) ?? [];
    if (bindings.length === 0) return [{ port, protocol, hostPort: undefined, hostAddress: "" }];
    return bindings.map((binding) => {
      const { HostPort, HostIp } = object(binding);
      const hostPort = Number(text(HostPort)) || undefined;
      return { port, protocol, hostPort, hostAddress: text(HostIp) };
    });
  });
  return ports.sort((a, b) => a.port - b.port || (a.protocol < b.protocol ? -1 : 1));
}

function toAttachment(network: string, value: unknown): Attachment {
  const { NetworkID, IPAddress, IPAMConfig, Aliases } = object(value);
  return {
    network,
    networkId: text(NetworkID),
    address: text(IPAddress),
    fixedAddress: text(object(IPAMConfig)["IPv4Address"]),
    aliases: list(Aliases).map(text),
  };
}

/** Undefined for what is not about a container, a network or an image. */
export function toEvent(value: unknown): EngineEvent | undefined {
  const { Type, Action, Actor, time, timeNano } = object(value);
  if (Type !== "container" && Type !== "network" && Type !== "image") return undefined;
  const { ID, Attributes } = object(Actor);
  const timeMs = typeof timeNano === "number" ? timeNano / 1e6 : Number(time ?? 0) * 1000;
  return {
    kind: Type,
    action: text(Action),
    id: text(ID),
    attributes: texts(Attributes),
    timeMs: Math.floor(timeMs),
  };
}

export function toPathStat(value: unknown): PathStat {
  const { name, size, mode, linkTarget } = object(value);
  return { name: text(name), size: number(size), mode: number(mode), linkTarget: text(linkTarget) };
}

/** Undefined while the Engine has no second measurement to compare with. */
export function toUsage(value: unknown): ContainerUsage | undefined {
  const { read, cpu_stats, precpu_stats, memory_stats, networks, blkio_stats, pids_stats } =
    object(value);
  const [cpu, before] = [object(cpu_stats), object(precpu_stats)];
  const system = number(cpu["system_cpu_usage"]) - number(before["system_cpu_usage"]);
  if (number(before["system_cpu_usage"]) === 0 || system <= 0) return undefined;
  const used = object(cpu["cpu_usage"]);
  const total = number(used["total_usage"]) - number(object(before["cpu_usage"])["total_usage"]);
  const processors = number(cpu["online_cpus"]) || list(used["percpu_usage"]).length || 1;
  const memory = object(memory_stats);
  const details = object(memory["stats"]);
  // As docker stats shows it: what the kernel would give back at once does not count. Control groups 2, then 1.
  const cache = number(details["inactive_file"] ?? details["total_inactive_file"]);
  const interfaces = Object.values(object(networks)).map(object);
  const sum = (key: string): number => interfaces.reduce((all, each) => all + number(each[key]), 0);
  const blocks = list(object(blkio_stats)["io_service_bytes_recursive"]).map(object);
  const blockSum = (op: string): number =>
    blocks
      .filter((each) => text(each["op"]).toLowerCase() === op)
      .reduce((all, each) => all + number(each["value"]), 0);
  return {
    readAt: text(read),
    cpuPercent: Math.max(0, (total / system) * processors * 100),
    memory: Math.max(0, number(memory["usage"]) - cache),
    memoryLimit: number(memory["limit"]),
    received: sum("rx_bytes"),
    sent: sum("tx_bytes"),
    blockRead: blockSum("read"),
    blockWritten: blockSum("write"),
    processes: number(object(pids_stats)["current"]),
  };
}

function number(value: unknown): number {
  return typeof value === "number" ? value : 0;
}

function withoutPrefix(address: string): string {
  return address.split("/")[0] ?? "";
}

function withoutSlash(name: string): string {
  return name.startsWith("/") ? name.slice(1) : name;
}
