/**
 * What a node tells Prometheus: its status in numbers, and what its gossip counted. Pure.
 *
 * Source: the text format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats). Names and labels are stable; durations are seconds.
 */
import type { Status } from "./status-schema.ts";

export interface Usage {
  /** CPU seconds of the daemon since its start. */
  readonly cpuSeconds: number;
  readonly residentBytes: number;
}

interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: "gauge" | "counter";
  readonly samples: readonly (readonly [labels: Readonly<Record<string, string>>, value: number])[];
}

export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** The whole answer. `counters` are gossip's, by name in camel case, each only growing. */
export function metricsText(
  status: Status,
  counters: Readonly<Record<string, number>>,
  usage: Usage,
): string {
  return families(status, counters, usage).map(familyText).join("");
}

function families(
  { cluster, node, peers, connections, ipam, warnings }: Status,
  counters: Readonly<Record<string, number>>,
  { cpuSeconds, residentBytes }: Usage,
): Family[] {
  const own = ipam.entries.find(({ id }) => id === node.id);
  const rtts = connections.flatMap(({ peer, rttMs, state }) =>
    peer && state === "established" && rttMs != null
      ? [[{ peer: peer.name }, rttMs / 1000] as const]
      : [],
  );
  return [
    gauge("hansa_info", "Always 1; the labels say which node this is.", [
      [{ cluster: cluster.name, node: node.name, id: `${node.id}`, version: node.version }, 1],
    ]),
    gauge("hansa_peers", "Known nodes, this one among them, by state.", countBy(peers, "state")),
    gauge("hansa_connections", "Connections of this node by state.", countBy(connections, "state")),
    gauge("hansa_tunnel_round_trip_seconds", "Through the tunnel to each peer.", rtts),
    gauge("hansa_addresses_owned", "Dynamic addresses that this node gives out.", [
      [{}, own?.addresses ?? 0],
    ]),
    gauge("hansa_addresses_active", "Those in use.", [[{}, own?.active ?? 0]]),
    gauge("hansa_addresses_ready", "1 when this node can give out an address.", [
      [{}, ipam.ready ? 1 : 0],
    ]),
    gauge("hansa_warnings", "What hansa status warns of, by code.", [...countBy(warnings, "code")]),
    ...Object.entries(counters).map(
      ([name, value]): Family => ({
        name: `hansa_gossip_${snakeCase(name)}_total`,
        help: `Gossip's count of ${words(name)} since the daemon's start.`,
        type: "counter",
        samples: [[{}, value]],
      }),
    ),
    {
      name: "process_cpu_seconds_total",
      help: "CPU time of the daemon.",
      type: "counter",
      samples: [[{}, cpuSeconds]],
    },
    gauge("process_resident_memory_bytes", "Memory of the daemon.", [[{}, residentBytes]]),
  ];
}

function gauge(name: string, help: string, samples: Family["samples"]): Family {
  return { name, help, type: "gauge", samples };
}

/** How many there are of each value of `by`, which is the label. */
function countBy<Label extends string>(
  things: readonly { readonly [key in Label]: string }[],
  by: Label,
): Family["samples"] {
  return [...Map.groupBy(things, (thing) => thing[by])].map(
    ([value, same]) => [{ [by]: value }, same.length] as const,
  );
}

function familyText({ name, help, type, samples }: Family): string {
  const lines = samples.map(([labels, value]) => `${name}${labelText(labels)} ${value}\n`);
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escaped(value: string): string {
  return value.replace(/[\\"\n]/g, (one) => (one === "\n" ? "\\n" : `\\${one}`));
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function words(name: string): string {
  return snakeCase(name).replaceAll("_", " ");
}
