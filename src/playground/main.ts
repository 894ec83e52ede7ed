/** `hansa playground`: from words to the playground, and from its answers to the terminal. */
import { type Action, HELP, parseArguments } from "./arguments.ts";
import { listPlayground, tableOf } from "./listing.ts";
import { Playground } from "./playground.ts";
import { runRelay } from "./relay.ts";

/**
 * Runs `hansa playground ARGV` and returns its exit status: that of the command on the host for `x` and `d`.
 *
 * Throws HansaError (USAGE, ROOT_REQUIRED, TOOL_MISSING, PLAYGROUND_…), which the command line prints as it prints all.
 * `_relay` is how a playground starts itself again as a relay; it never returns.
 */
export async function runPlayground(argv: readonly string[]): Promise<number> {
  if (argv[0] === "_relay") {
    await runRelay(argv[1] ?? "");
    return new Promise<never>(() => {});
  }
  const { name, action } = parseArguments(argv);
  return perform(name, action);
}

async function perform(name: string, action: Action): Promise<number> {
  switch (action.kind) {
    case "help":
      process.stdout.write(HELP);
      return 0;
    case "up": {
      const { kind: _, ...options } = action;
      const log = (line: string): void => void process.stderr.write(`${line}\n`);
      await Playground.up({ name, ...options, stay: true, log });
      return 0;
    }
    case "down":
      await Playground.remove(name);
      return 0;
    case "list": {
      const listing = listPlayground(name);
      if (action.output === "table") process.stdout.write(tableOf(listing));
      else if (action.output === "json")
        process.stdout.write(`${JSON.stringify(listing, undefined, 2)}\n`);
      else process.stdout.write((await import("yaml")).stringify(listing));
      return 0;
    }
    case "exec":
      return Playground.attach(name).host(action.host).attach(action.argv);
    case "docker":
      return Playground.attach(name)
        .host(action.host)
        .attach(["docker", ...action.args]);
    default:
      await change(Playground.attach(name), action);
      return 0;
  }
}

type Change = Exclude<
  Action,
  { kind: "help" } | { kind: "up" } | { kind: "list" } | { kind: "exec" } | { kind: "docker" }
>;

function change(playground: Playground, action: Change): Promise<void> {
  switch (action.kind) {
    case "cut":
      return playground.cut(action.host, action.link);
    case "mend":
      return playground.mend(action.host, action.link);
    case "part":
      return playground.part(action.groups);
    case "heal":
      return playground.heal();
    case "oneway":
      return playground.oneway(action.from, action.to, action.only);
    case "block":
      return playground.block(action.a, action.b, action.protocol, action.port);
    case "kill":
      return playground.host(action.host).kill();
    case "boot":
      return playground.host(action.host).boot();
    case "delay":
      return playground.delay(action.a, action.b, action.ms, action.loss);
    case "down":
      return playground.down();
  }
}
