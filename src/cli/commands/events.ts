/** `hansa events`: what happens to containers of the whole cluster, as it happens. */
import type { Containers } from "../../api/container-schema.ts";
import type { Command } from "../command.ts";
import { documentText, formatOf, OUTPUT_OPTION } from "../output/document-format.ts";
import { usage } from "../parse-words.ts";

export const events: Command = {
  name: "events",
  summary: "show starts, ends and health of all nodes' containers as they happen",
  details: `One line for each change of a container on the network hansa, until Ctrl-C: when, NODE/CONTAINER, its state now,
and the exit status of one that ended. With --since the last change of each container since then comes first; what
happened to it before that is not kept anywhere. In json one document on each line.`,
  options: [
    {
      name: "since",
      value: "TIME",
      summary: "from then on: 90s, 10m, 3h ago, or 2026-01-02T03:04:05Z",
    },
    OUTPUT_OPTION,
  ],
  examples: ["events", "events --since 1h", "events -o json"],
  async run(words, context) {
    const format = formatOf(words);
    const { parseTime } = await import("../parse-time.ts");
    const { happeningsBetween, happeningsSince } = await import("../container-events.ts");
    const since = words.values.get("since");
    const from = since === undefined ? undefined : parseTime(since, context.nowMs());
    if (since !== undefined && from === undefined) {
      throw usage(events, `--since wants a time as 10m or 2026-01-02T03:04:05Z, not ${since}`);
    }
    const sinceMs = from === undefined ? context.nowMs() : Number(from) * 1_000;
    const signal = context.interrupted();
    let before: Containers | undefined;
    const paused = (): void => context.note("the connection was lost; trying again");
    for await (const after of context.client.watchContainers(signal, { paused })) {
      const news =
        before === undefined
          ? happeningsSince(after, sinceMs)
          : happeningsBetween(before, after, sinceMs);
      before = after;
      for (const each of news) {
        if (format === "json") context.out(`${JSON.stringify(each)}\n`);
        else if (format === "yaml") context.out(`---\n${await documentText(each, format)}`);
        else {
          const { at, subject, what, exitCode } = each;
          const time = at ?? new Date(context.nowMs()).toISOString();
          const status = exitCode === null ? "" : ` (${exitCode})`;
          context.out(`${time} ${subject} ${what}${status}\n`);
        }
      }
    }
    return 0;
  },
};
