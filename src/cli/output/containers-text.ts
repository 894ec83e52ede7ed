/** Containers of the whole cluster as the table of `hansa ps`. Pure. */
import type { ContainerNode, ContainerRow, Containers } from "../../api/container-schema.ts";
import { shortAge } from "../../values/short-age.ts";
import { alignColumns } from "./align-columns.ts";
import type { Colour, Paint } from "./paint.ts";

/** As simplecontainer prints it, to the space. */
const EMPTY =
  "NODE  GROUP  NAME  DOCKER NAME  IMAGE  IP  PORTS  DEPS IMAGE STATE ENGINE STATE  SMR STATE";
const HEADINGS = [
  ...["NODE", "GROUP", "NAME", "DOCKER NAME", "IMAGE", "IP", "PORTS", "DEPS"],
  ...["IMAGE STATE", "ENGINE STATE", "SMR STATE"],
] as const;

const COLOURS: Readonly<Partial<Record<ContainerRow["state"], Colour>>> = {
  running: "green",
  failed: "red",
  unhealthy: "red",
  stopped: "dim",
  created: "dim",
  starting: "yellow",
  restarting: "yellow",
  paused: "yellow",
};

/** The header, and a line for each container; what is old says how old it is. */
export function containersText(
  { nodes, containers }: Containers,
  { nowMs, paint }: { readonly nowMs: number; readonly paint: Paint },
): string {
  if (containers.length === 0) return EMPTY;
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const rows = containers.map((row) => cellsOf(row, byId.get(row.node.id), nowMs, paint));
  return alignColumns([HEADINGS, ...rows]);
}

/** What the table cannot show: nodes that did not answer, in one sentence each. */
export function containerNotes({ nodes, containers }: Containers, nowMs: number): string[] {
  return nodes.flatMap((node) => {
    if (node.reachable && node.problem === null) return [];
    const who = `${node.name} (${node.id})`;
    const why = node.problem?.message ?? "it did not answer in time";
    const { length } = containers.filter(({ node: { id } }) => id === node.id);
    if (node.asOf === null) return [`nothing is known of the containers on ${who}: ${why}`];
    const many = `${length} container${length === 1 ? "" : "s"}`;
    return [`${many} on ${who} as of ${ageOf(node.asOf, nowMs)} ago: ${why}`];
  });
}

function cellsOf(
  row: ContainerRow,
  node: ContainerNode | undefined,
  nowMs: number,
  paint: Paint,
): string[] {
  const isOld = node !== undefined && (!node.reachable || node.problem !== null);
  const asOf = isOld ? node.asOf : null;
  const seenMs = asOf === null ? nowMs : Date.parse(asOf);
  const state = `${row.state}${row.stateSince === null ? "" : ` (${ageOf(row.stateSince, seenMs)})`}`;
  const colour = COLOURS[row.state];
  const painted = colour === undefined ? state : paint(colour, state);
  return [
    `${row.node.name} (${row.node.id})`,
    row.group ?? "-",
    row.name,
    row.dockerName,
    row.image,
    row.addresses.join(", ") || "-",
    row.ports.map(portText).join(", ") || "-",
    row.dependsOn.join(", ") || "-",
    imageText(row.imageState),
    row.engineState === null ? "-" : `${row.engineState} (${row.engine})`,
    asOf === null ? painted : `${painted} ${paint("yellow", `${ageOf(asOf, nowMs)} ago`)}`,
  ];
}

/** "8080:80", "443", "127.0.0.1:53:53/udp". */
function portText({
  port,
  protocol,
  hostPort,
  hostAddress,
}: ContainerRow["ports"][number]): string {
  const host = hostAddress?.includes(":") ? `[${hostAddress}]` : hostAddress;
  const published = [host, hostPort, port].filter((part) => part !== null).join(":");
  return protocol === "tcp" ? published : `${published}/${protocol}`;
}

function imageText({ state, percent }: ContainerRow["imageState"]): string {
  return state === "pulling" && percent !== null ? `pulling ${Math.floor(percent)}%` : state;
}

function ageOf(since: string, nowMs: number): string {
  return shortAge((nowMs - Date.parse(since)) / 1000);
}
