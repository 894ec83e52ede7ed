/**
 * All commands, in the order of help. Each is loaded when it is asked for: to load all of them costs a small one more than its own work.
 */
import type { Command } from "./command.ts";

const LOADERS: Readonly<Record<string, () => Promise<Command>>> = {
  launch: async () => (await import("./commands/launch.ts")).launch,
  connect: async () => (await import("./commands/connect.ts")).connect,
  forget: async () => (await import("./commands/forget.ts")).forget,
  status: async () => (await import("./commands/status.ts")).status,
  ps: async () => (await import("./commands/ps.ts")).ps,
  prime: async () => (await import("./commands/prime.ts")).prime,
  inspect: async () => (await import("./commands/inspect.ts")).inspect,
  doctor: async () => (await import("./commands/doctor.ts")).doctor,
  exec: async () => (await import("./commands/exec.ts")).exec,
  cp: async () => (await import("./commands/cp.ts")).cp,
  report: async () => (await import("./commands/report.ts")).report,
  logs: async () => (await import("./commands/logs.ts")).logs,
  "port-forward": async () => (await import("./commands/port-forward.ts")).portForward,
  top: async () => (await import("./commands/top.ts")).top,
  stats: async () => (await import("./commands/stats.ts")).stats,
  events: async () => (await import("./commands/events.ts")).events,
  resume: async () => (await import("./commands/resume.ts")).resume,
  reset: async () => (await import("./commands/reset.ts")).reset,
  ipam: async () => (await import("./commands/ipam.ts")).ipam,
  create: async () => (await import("./commands/create.ts")).create,
  add: async () => (await import("./commands/add.ts")).add,
  "join-info": async () => (await import("./commands/join-info.ts")).joinInfo,
  delnode: async () => (await import("./commands/delnode.ts")).delnode,
  updatecerts: async () => (await import("./commands/updatecerts.ts")).updatecerts,
  store: async () => (await import("./commands/store.ts")).store,
  nodes: async () => (await import("./commands/nodes.ts")).nodes,
  vote: async () => (await import("./commands/vote.ts")).vote,
  expected: async () => (await import("./commands/expected.ts")).expected,
  qdevice: async () => (await import("./commands/qdevice.ts")).qdevice,
  backup: async () => (await import("./commands/backup.ts")).backup,
  restore: async () => (await import("./commands/backup.ts")).restore,
  config: async () => (await import("./commands/config.ts")).config,
  context: async () => (await import("./commands/context.ts")).contextCommand,
  agent: async () => (await import("./commands/context.ts")).agent,
  start: async () => (await import("./commands/start.ts")).start,
  stop: async () => (await import("./commands/stop.ts")).stop,
  token: async () => (await import("./commands/token.ts")).token,
  install: async () => (await import("./commands/install.ts")).install,
  uninstall: async () => (await import("./commands/uninstall.ts")).uninstall,
  upgrade: async () => (await import("./commands/upgrade.ts")).upgrade,
  playground: async () => (await import("./commands/playground.ts")).playground,
  version: async () => (await import("./commands/version.ts")).version,
};

/** Those that are made from the table of all others are not among them. */
export const COMMAND_NAMES: readonly string[] = Object.keys(LOADERS);

/** The command of that name; undefined: none is, or it is made from the table. */
export async function loadCommand(name: string): Promise<Command | undefined> {
  return Object.hasOwn(LOADERS, name) ? await LOADERS[name]?.() : undefined;
}

/** All of them, completion and help at the end. */
export async function allCommands(): Promise<readonly Command[]> {
  const { tableCommands } = await import("./commands/completion.ts");
  const commands = await Promise.all(Object.values(LOADERS).map((load) => load()));
  return [...commands, ...tableCommands(commands)];
}
