/** The quorum in the four sections that Proxmox' administrators know, to the column, and its members alone. Pure. */
import type { QuorumView } from "../../api/quorum-schemas.ts";

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = [
  ...["Jan", "Feb", "Mar", "Apr", "May", "Jun"],
  ...["Jul", "Aug", "Sep", "Oct", "Nov", "Dec"],
];

/** Without a line's end. The date is shown in the time zone of this process. */
export function quorumText(view: QuorumView): string {
  const { ringId, quorate, quorum } = view;
  const ring = ringId ? `${ringId.node.toString(16)}.${ringId.sequence.toString(16)}` : "unknown";
  return [
    section("Cluster information", [
      ["Name:", view.name],
      ["Config Version:", `${view.configVersion ?? "unknown"}`],
      ["Transport:", view.transport],
      ["Secure auth:", view.secureAuth ? "on" : "off"],
    ]),
    section("Quorum information", [
      ["Date:", dateText(new Date(view.date))],
      ["Quorum provider:", view.provider],
      ["Nodes:", `${view.nodes}`],
      ["Node ID:", hexId(view.nodeId)],
      ["Ring ID:", ring],
      ["Quorate:", quorate ? "Yes" : "No"],
    ]),
    section("Votequorum information", [
      ["Expected votes:", `${view.expectedVotes}`],
      ["Highest expected:", `${view.highestExpected}`],
      ["Total votes:", `${view.totalVotes}`],
      ["Quorum:", `${quorum}${quorate ? "" : " Activity blocked"}`],
      ["Flags:", view.flags.join(" ")],
    ]),
    membersText(view, ({ id, address, name }) => [hexId(id), address ?? name]),
  ].join("\n\n");
}

/** The members with decimal ids and names. Without a line's end. */
export function nodesText(view: QuorumView): string {
  return membersText(view, ({ id, name }) => [`${id}`, name]);
}

type Member = QuorumView["members"][number];

function membersText(
  { members, witness }: QuorumView,
  shown: (member: Member) => readonly [string, string],
): string {
  const line = (id: string, votes: string, device: string, name: string): string =>
    [id, votes, ...(witness ? [device] : [])]
      .map((cell) => cell.padStart(10))
      .concat(name)
      .join(" ");
  const device = witness ? deviceOf(witness) : "";
  const rows = members.map((member) => {
    const [id, name] = shown(member);
    return line(id, `${member.votes}`, device, `${name}${member.isLocal ? " (local)" : ""}`);
  });
  const [zero] = shown({ id: 0, name: "", address: null, votes: 0, isLocal: false });
  const last = witness ? [line(zero, `${witness.votes}`, "", "Qdevice")] : [];
  const head = line("Nodeid", "Votes", "Qdevice", "Name");
  return [...heading("Membership information"), head, ...rows, ...last].join("\n");
}

/** Alive or not, with a vote or without, and no master's: as the answering node sees it, for all of them. */
function deviceOf({ votes, isAlive }: NonNullable<QuorumView["witness"]>): string {
  return `${isAlive ? "A" : "NA"},${votes > 0 ? "V" : "NV"},NMW`;
}

function section(title: string, rows: readonly (readonly [string, string])[]): string {
  const lines = rows.map(([label, value]) => `${label.padEnd(17)} ${value}`);
  return [...heading(title), ...lines].join("\n");
}

function heading(title: string): string[] {
  return [title, "-".repeat(title.length)];
}

/** At least 8 digits, as corosync shows its ids. */
function hexId(id: number): string {
  return `0x${id.toString(16).padStart(8, "0")}`;
}

/** As C's asctime has it: "Tue Sep 14 11:06:47 2021". */
function dateText(date: Date): string {
  const two = (number: number): string => `${number}`.padStart(2, "0");
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
  const day = `${date.getDate()}`.padStart(2);
  return `${DAYS[date.getDay()]} ${MONTHS[date.getMonth()]} ${day} ${time} ${date.getFullYear()}`;
}
