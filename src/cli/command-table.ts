/** All commands, in the order of help. Their heavy parts are imported when they run. */
import type { Command } from "./command.ts";
import { add } from "./commands/add.ts";
import { backup, restore } from "./commands/backup.ts";
import { config } from "./commands/config.ts";
import { connect } from "./commands/connect.ts";
import { agent, contextCommand } from "./commands/context.ts";
import { cp } from "./commands/cp.ts";
import { create } from "./commands/create.ts";
import { delnode } from "./commands/delnode.ts";
import { doctor } from "./commands/doctor.ts";
import { events } from "./commands/events.ts";
import { exec } from "./commands/exec.ts";
import { expected } from "./commands/expected.ts";
import { forget } from "./commands/forget.ts";
import { inspect } from "./commands/inspect.ts";
import { install } from "./commands/install.ts";
import { ipam } from "./commands/ipam.ts";
import { joinInfo } from "./commands/join-info.ts";
import { launch } from "./commands/launch.ts";
import { logs } from "./commands/logs.ts";
import { nodes } from "./commands/nodes.ts";
import { playground } from "./commands/playground.ts";
import { portForward } from "./commands/port-forward.ts";
import { prime } from "./commands/prime.ts";
import { ps } from "./commands/ps.ts";
import { qdevice } from "./commands/qdevice.ts";
import { report } from "./commands/report.ts";
import { reset } from "./commands/reset.ts";
import { resume } from "./commands/resume.ts";
import { start } from "./commands/start.ts";
import { stats } from "./commands/stats.ts";
import { status } from "./commands/status.ts";
import { stop } from "./commands/stop.ts";
import { store } from "./commands/store.ts";
import { token } from "./commands/token.ts";
import { top } from "./commands/top.ts";
import { uninstall } from "./commands/uninstall.ts";
import { updatecerts } from "./commands/updatecerts.ts";
import { upgrade } from "./commands/upgrade.ts";
import { version } from "./commands/version.ts";
import { vote } from "./commands/vote.ts";

export const COMMANDS: readonly Command[] = [
  launch,
  connect,
  forget,
  status,
  ps,
  prime,
  inspect,
  doctor,
  exec,
  cp,
  report,
  logs,
  portForward,
  top,
  stats,
  events,
  resume,
  reset,
  ipam,
  create,
  add,
  joinInfo,
  delnode,
  updatecerts,
  store,
  nodes,
  vote,
  expected,
  qdevice,
  backup,
  restore,
  config,
  contextCommand,
  agent,
  start,
  stop,
  token,
  install,
  uninstall,
  upgrade,
  playground,
  version,
];
