/** What address machines are told and answer, as lines of text. For tests. */
import assert from "node:assert/strict";
import { formatCidr, type Range, rangeToCidrs } from "../values/cidr.ts";
import { formatIpv4, parseIpv4 } from "../values/ipv4.ts";
import { addressPlan } from "./address-plan.ts";
import type { AddressesView } from "./addresses.ts";
import { SimulatedCluster, type TraceEvent } from "./simulated-cluster.ts";
import type { Cession, IpamInput, IpamMessage, IpamOutput, RingEntry } from "./step.ts";

export const plan = addressPlan();
export const ip = (text: string) => parseIpv4(text) ?? assert.fail(text);

/** A block where it is one, else the first and last address. */
function showRange(range: Range): string {
  const [block, ...more] = rangeToCidrs(range);
  if (block && more.length === 0) return formatCidr(block);
  return `${formatIpv4(range.start)}-${formatIpv4(range.end - 1)}`;
}

const blocks = (ranges: readonly Range[]) => ranges.map(showRange).join(" ") || "nothing";

function showEntry({ start, end, owner, version, free }: RingEntry): string {
  return `${blocks([{ start, end: end ?? 0 }])} is ${owner}'s v${version} free ${free}`;
}

function showWant(want: Cession): string {
  if (want.kind === "address") return formatIpv4(want.address);
  return `${want.kind} ${blocks(want.kind === "space" ? want.within : want.ranges)}`;
}

function showMessage(message: IpamMessage): string {
  if (message.type === "ask-address") return `ask-address ${formatIpv4(message.address)}`;
  if (message.type === "granted") return `granted ${message.entries.map(showEntry).join("; ")}`;
  return message.type === "refused" ? `refused ${message.reason}` : message.type;
}

export function showOutput(output: IpamOutput): string {
  switch (output.type) {
    case "send":
      return `send ${output.to}: ${showMessage(output.message)}`;
    case "broadcast":
      return `broadcast ${output.entries.map(showEntry).join("; ")}`;
    case "space":
      return `space ${output.ready ? "ready" : "not ready"}: ${blocks(output.ranges)}`;
    case "cede":
      return `cede ${showWant(output.want)}`;
    case "claim-done":
      return `claim-done ${output.result}${output.owner ? ` owner ${output.owner}` : ""}`;
    case "conflict":
      return `conflict with ${output.other}: ${blocks([output.range])}`;
    case "persist":
      return "persist";
  }
}

function showInput(input: IpamInput): string {
  switch (input.type) {
    case "message":
      return `message from ${input.from}: ${showMessage(input.message)}`;
    case "entries":
      return `entries ${input.entries.map(showEntry).join("; ")}`;
    case "reachable":
      return `reachable ${input.nodes.join(" ") || "nobody"}`;
    case "usage":
      return `usage free ${input.free} active ${input.active}`;
    case "ceded":
      return `ceded ${blocks(input.ranges)}`;
    case "claim":
      return `claim ${input.address === undefined ? "any" : formatIpv4(input.address)}`;
    default:
      return input.type;
  }
}

function showView(view: AddressesView): string[] {
  const rows = view.entries.map(({ id, addresses, percent, active }) => {
    const count = active === undefined ? "" : ` (${active} active)`;
    return `  ${id}: ${addresses} IPs (${percent.toFixed(1)}% of total)${count}`;
  });
  return [`status ${view.subnet} ${view.range} ${view.ready ? "ready" : "not ready"}`, ...rows];
}

/** A cluster whose every input and output is written down. */
export function transcript(ids: readonly number[]) {
  const lines: string[] = [];
  // Gossip, counts and ticks are worth a line only when something follows from them.
  let quiet = "";
  const trace = (id: number, event: TraceEvent) => {
    if (event.kind === "output") {
      if (quiet) lines.push(quiet);
      quiet = "";
      lines.push(`[${id}]   ${showOutput(event.output)}`);
      return;
    }
    const line = `[${id}] > ${showInput(event.input)}`;
    quiet = ["tick", "entries", "usage"].includes(event.input.type) ? line : "";
    if (!quiet) lines.push(line);
  };
  const cluster = new SimulatedCluster({ plan, ids, random: () => 0.5, trace });
  const say = (text: string) => lines.push("", `# ${text}`);
  const status = (id: number) => lines.push(...showView(cluster.host(id).addresses.view()));
  return { cluster, lines, say, status };
}
