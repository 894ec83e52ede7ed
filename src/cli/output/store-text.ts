/** The store as `hansa store` shows it: its name, whether it can be changed, and a line for each voter. Pure. */
import type { StoreView } from "../../api/store-schemas.ts";
import { shortAge } from "../../values/short-age.ts";
import { alignColumns } from "./align-columns.ts";
import type { Colour, Paint } from "./paint.ts";

const COLOURS: Readonly<Record<StoreView["voters"][number]["state"], Colour>> = {
  leads: "green",
  follows: "green",
  waits: "yellow",
  silent: "red",
  away: "red",
};

export function storeText(store: StoreView, paint: Paint): string {
  const { name, id, generation, configVersion, quorate, leader } = store;
  const lines = [
    ["Name:", name],
    ["Store:", `${id}, generation ${generation}`],
    ["Config Version:", `${configVersion ?? "unknown"}`],
    ["Quorate:", quorate ? paint("green", "Yes") : paint("red", "No")],
    ["Votes:", votesText(store)],
    ...(store.witness ? [["Witness:", witnessText(store.witness)]] : []),
    ["Leader:", leader ? `${leader.name} (${leader.id})` : "none"],
    ["Times:", timesText(store.times)],
    ["Size:", store.bytes === null ? "unknown" : `${Math.ceil(store.bytes / 1024)} KiB`],
    ["Copy here:", store.copy ? copyText(store.copy) : "none"],
  ].map(([label = "", value = ""]) => `${label.padEnd(17)} ${value}`);
  return `${lines.join("\n")}\n\n${votesTable(store, paint)}`;
}

function witnessText({ host, port, isHeard, hasVote }: NonNullable<StoreView["witness"]>): string {
  const vote = hasVote ? "has a vote" : "has no vote now";
  return `${host}:${port}, ${vote}, ${isHeard ? "heard" : "not heard"} here`;
}

function copyText({ revision, ageMs }: NonNullable<StoreView["copy"]>): string {
  return `revision ${revision}, as of ${shortAge(ageMs / 1000)} ago`;
}

/** "heartbeat 400 ms, election 4 s: 302 ms between voters, 12 ms to keep a write". */
function timesText({ heartbeatMs, electionMs, roundTripMs, fsyncMs }: StoreView["times"]): string {
  const times = `heartbeat ${heartbeatMs} ms, election ${electionMs / 1000} s`;
  const found = [
    ...(roundTripMs === null ? [] : [`${Math.round(roundTripMs)} ms between voters`]),
    ...(fsyncMs === null ? [] : [`${Math.round(fsyncMs)} ms to keep a write`]),
  ];
  return found.length === 0 ? times : `${times}: ${found.join(", ")}`;
}

/** A line for each node that has a vote, or receives the log for one. */
export function votesTable({ voters, wanted }: StoreView, paint: Paint): string {
  const rows = voters.map((voter) => [
    voter.id === 0 ? voter.name : `${voter.name} (${voter.id})${voter.isLocal ? " (local)" : ""}`,
    voter.address,
    voteOf(voter, wanted),
    paint(COLOURS[voter.state], voter.state),
  ]);
  const table = alignColumns([["NODE", "ADDRESS", "VOTE", "STATE"], ...rows]);
  const problems = voters.flatMap(({ name, id, problem }) =>
    problem ? [`${name} (${id}): ${problem.code}: ${problem.message}`, `  ${problem.hint}`] : [],
  );
  return problems.length === 0 ? table : [table, "", ...problems].join("\n");
}

function voteOf({ id, hasVote }: StoreView["voters"][number], wanted: readonly number[]): string {
  if (id !== 0 && !wanted.includes(id)) return "taken";
  return hasVote ? "yes" : "not yet";
}

/** "3 of 4 answer, 3 are needed; 4 votes survive 1 failure, as 3 would". */
export function votesText({ votes, witness }: StoreView): string {
  const { expected, answering, needed } = votes;
  const survived = expected - needed;
  const failures = survived === 1 ? "1 failure" : `${survived || "no"} failures`;
  const isEven = expected % 2 === 0;
  const as = isEven && expected > 2 ? `, as ${expected - 1} would` : "";
  const more = isEven && witness === null ? `; a witness makes it ${survived + 1}` : "";
  const many = expected === 1 ? "1 vote survives" : `${expected} votes survive`;
  const are = needed === 1 ? "is" : "are";
  const answer = answering === 1 ? "answers" : "answer";
  return `${answering} of ${expected} ${answer}, ${needed} ${are} needed; ${many} ${failures}${as}${more}`;
}
