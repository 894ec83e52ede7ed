/** `hansa logs`: what containers wrote, on whichever node, together in the order of their times. */
import type { Command } from "../command.ts";
import { usage } from "../parse-words.ts";

export const logs: Command = {
  name: "logs",
  summary: "show what containers wrote, of several in order of time",
  details: `Containers are meant as with hansa exec. Lines of several come with NODE/CONTAINER before them, in the order
of the times that their nodes' Docker gave them. What a container wrote to its standard error goes to ours. With
--follow it goes on until the containers end or Ctrl-C; when a node or a connection is lost it tries again for two
minutes, also through other nodes of the context, and neither repeats a line nor leaves one out.`,
  operands: { name: "CONTAINER", min: 1, max: 256 },
  options: [
    { name: "follow", short: "f", summary: "go on as they write" },
    { name: "tail", short: "n", value: "N", summary: "only the last N lines of each" },
    {
      name: "since",
      value: "TIME",
      summary: "from then on: 90s, 10m, 3h, 2d ago, or 2026-01-02T03:04:05Z",
    },
    { name: "until", value: "TIME", summary: "before then" },
    { name: "timestamps", short: "t", summary: "with each line's time" },
  ],
  examples: ["logs web", "logs -f --tail 20 web host2/db", "logs --since 10m web"],
  async run(words, context) {
    const { values, flags, operands } = words;
    const tail = values.get("tail");
    if (tail !== undefined && tail !== "all" && !/^\d{1,9}$/.test(tail)) {
      throw usage(logs, `--tail wants a number, not ${tail}`);
    }
    const { parseTime } = await import("../parse-time.ts");
    const { runLogs } = await import("../run-logs.ts");
    const time = (name: string): string => {
      const text = values.get(name);
      if (text === undefined) return "";
      const parsed = parseTime(text, context.nowMs());
      if (parsed === undefined)
        throw usage(logs, `--${name} wants a time as 10m or 2026-01-02T03:04:05Z, not ${text}`);
      return parsed;
    };
    return runLogs(context, operands, {
      follow: flags.has("follow"),
      timestamps: flags.has("timestamps"),
      tail: tail === undefined || tail === "all" ? undefined : Number(tail),
      since: time("since"),
      until: time("until"),
    });
  },
};
