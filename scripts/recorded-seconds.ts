/**
 * How long test files take, as test/seconds.txt has it: so that the long ones begin first and none runs on alone at the end.
 *
 * Invariant: a wrong or missing figure costs time and nothing else.
 */

export type RecordedSeconds = ReadonlyMap<string, number>;

/** One that is not recorded is new: taken for one of middle length. */
const UNKNOWN = 15;

/** Shorter ones need no line. */
const SHORTEST = 2;

/** Reads lines of seconds and a path; others are comments. */
export function parseSeconds(text: string): RecordedSeconds {
  const rows = [...text.matchAll(/^ *(\d+) (\S+)$/gm)];
  return new Map(rows.map(([, seconds = "", file = ""]) => [file, Number(seconds)]));
}

/** The file's text with what was measured in place of what it said of those files. */
export function withMeasured(text: string, measured: RecordedSeconds): string {
  const comments = text.split("\n").filter((line) => line.startsWith("#"));
  const rows = [...new Map([...parseSeconds(text), ...measured])]
    .filter(([, seconds]) => seconds >= SHORTEST)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([file, seconds]) => `${Math.round(seconds)} ${file}`);
  return `${[...comments, ...rows].join("\n")}\n`;
}

/** `jobs` with the longest first, of equal ones in their order. A job of several files is short: `filesOf` gives them. */
export function longestFirst<Job>(
  jobs: readonly Job[],
  filesOf: (job: Job) => readonly string[],
  recorded: RecordedSeconds,
): readonly Job[] {
  const length = (job: Job): number => {
    const files = filesOf(job);
    const [only] = files;
    if (only === undefined || files.length > 1) return 0;
    return recorded.get(only) ?? UNKNOWN;
  };
  return jobs.toSorted((a, b) => length(b) - length(a));
}
