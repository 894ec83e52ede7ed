/**
 * What the soak does to a cluster, as data: a plan is a list of these, and so is the log that replays it.
 *
 * Hosts are numbered from 1; containers have names that are unique in the whole soak.
 */

/** The processes of a host that are killed, by the names of their pid files in /run/hansa. */
export const PROCESSES = ["daemon", "ipam-plugin", "supervise", "tunnel"] as const;
export type ProcessName = (typeof PROCESSES)[number];

export type SoakEvent =
  /** `docker run -d`; `ip` asks for that address, `restart` is `--restart always`. */
  | {
      readonly type: "run";
      readonly host: number;
      readonly name: string;
      readonly ip: string | null;
      readonly restart: boolean;
    }
  | {
      /** `detach` and `attach` are `docker network disconnect` and `connect`. */
      readonly type: "stop" | "start" | "restart" | "remove" | "detach" | "attach";
      readonly host: number;
      readonly name: string;
    }
  | { readonly type: "kill"; readonly host: number; readonly process: ProcessName }
  /** The same process on all hosts that are on, at one moment. */
  | { readonly type: "kill-all"; readonly process: ProcessName }
  /** kill -9 of dockerd; what keeps it starts it again. */
  | { readonly type: "kill-docker"; readonly host: number }
  | { readonly type: "stop-docker" | "start-docker"; readonly host: number }
  | { readonly type: "power-cut" | "boot"; readonly host: number }
  | { readonly type: "part"; readonly groups: readonly (readonly number[])[] }
  | { readonly type: "heal" }
  | { readonly type: "oneway"; readonly from: number; readonly to: number }
  | { readonly type: "block"; readonly a: number; readonly b: number }
  | { readonly type: "cut" | "mend"; readonly host: number }
  /** `ms` each way and `loss` percent; both 0 end it. */
  | {
      readonly type: "delay";
      readonly a: number;
      readonly b: number;
      readonly ms: number;
      readonly loss: number;
    }
  | { readonly type: "forget" | "connect"; readonly host: number; readonly target: string }
  /** `hansa reset --force` and removal of the host's containers. */
  | { readonly type: "reset"; readonly host: number }
  | { readonly type: "launch"; readonly host: number; readonly id: number }
  /** Everything is mended, and when all is quiet everything is checked. */
  | { readonly type: "calm" };

export type EventType = SoakEvent["type"];

/** An event and how long after the one before it begins, in milliseconds. */
export interface Planned {
  readonly afterMs: number;
  readonly event: SoakEvent;
}

/** The event in one line, for people. */
export function describe(event: SoakEvent): string {
  const { type, ...rest } = event;
  const words = Object.entries(rest).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  return [type, ...words].join(" ");
}
