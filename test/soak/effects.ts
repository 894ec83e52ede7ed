/**
 * What an event touches: in which order it stands with others, and which parts of the cluster it disturbs, for a moment or until it is undone. Pure.
 *
 * Scopes: `host 1` (its Docker and daemon), `path 1` (its containers' traffic), `pair 1 2` (the network between two hosts, the lower first),
 * `network` (any of them), `others` (some host is away), `address IP`.
 */
import type { SoakEvent } from "./event.ts";

/** The scopes that are disturbed while the event is carried out. */
export function disturbedBy(event: SoakEvent, hosts: number): readonly string[] {
  switch (event.type) {
    case "kill":
      // Traffic needs no other of our processes.
      return [`host ${event.host}`, ...(event.process === "tunnel" ? [`path ${event.host}`] : [])];
    case "kill-all": {
      const numbers = Array.from({ length: hosts }, (_, index) => index + 1);
      const kinds = event.process === "tunnel" ? ["host", "path"] : ["host"];
      return numbers.flatMap((number) => kinds.map((kind) => `${kind} ${number}`));
    }
    case "kill-docker":
    case "stop-docker":
    case "start-docker":
      return [`host ${event.host}`, `path ${event.host}`];
    case "power-cut":
    case "boot":
    case "reset":
    case "launch":
      return [`host ${event.host}`, `path ${event.host}`, "others"];
    case "part":
    case "heal":
    case "oneway":
    case "block":
      return ["network"];
    case "cut":
    case "mend":
      return ["network", `path ${event.host}`];
    case "delay":
      return ["network", pair(event.a, event.b)];
    default:
      return [];
  }
}

/** What lasts until another event undoes it. */
export interface LastingEffect {
  /** Names what is broken from now; all of them disturb `scopes`. */
  readonly opens: readonly string[];
  readonly scopes: readonly string[];
  /** Matches the names of what is whole again; done before `opens`. */
  readonly closes: RegExp;
}

export function lastingEffect(event: SoakEvent, hosts: number): LastingEffect {
  switch (event.type) {
    case "stop-docker":
      return opens([`docker ${event.host}`], [`host ${event.host}`, `path ${event.host}`]);
    case "start-docker":
      return closes(`^docker ${event.host}$`);
    case "power-cut": {
      const scopes = [`host ${event.host}`, `path ${event.host}`, "others"];
      // What was said of its Docker is gone with /run.
      return { ...opens([`power ${event.host}`], scopes), ...only(`^docker ${event.host}$`) };
    }
    case "boot":
      return closes(`^power ${event.host}$`);
    case "part":
      return { ...opens(["part"], ["network", ...parted(event.groups)]), ...only("^part$") };
    case "oneway":
      return opens([`hole ${event.from} ${event.to}`], ["network", pair(event.from, event.to)]);
    case "block":
      return opens([`hole ${event.a} ${event.b}`], ["network", pair(event.a, event.b)]);
    case "heal":
      return closes("^(part|hole .*)$");
    case "cut":
      return opens([`cut ${event.host}`], ["network", `path ${event.host}`]);
    case "mend":
      return closes(`^cut ${event.host}$`);
    case "delay": {
      const name = `delay ${pair(event.a, event.b)}`;
      if (event.ms === 0 && event.loss === 0) return closes(`^${name}$`);
      // Delay alone must not silence anybody.
      return opens([name], ["network", ...(event.loss > 0 ? [pair(event.a, event.b)] : [])]);
    }
    case "reset": {
      const scopes = [`host ${event.host}`, `path ${event.host}`, "others"];
      return opens([`launched ${event.host}`, `probe ${event.host}`], scopes);
    }
    case "launch":
      return closes(`^launched ${event.host}$`);
    default:
      return closes("^$");
  }

  function parted(groups: readonly (readonly number[])[]): readonly string[] {
    const all = Array.from({ length: hosts }, (_, index) => index + 1);
    const groupOf = (host: number): number => groups.findIndex((group) => group.includes(host));
    return all.flatMap((a) =>
      all.filter((b) => b > a && groupOf(a) !== groupOf(b)).map((b) => pair(a, b)),
    );
  }
}

/** The scope of the network between two hosts. */
export function pair(a: number, b: number): string {
  return `pair ${Math.min(a, b)} ${Math.max(a, b)}`;
}

function opens(names: readonly string[], scopes: readonly string[]): LastingEffect {
  return { opens: names, scopes, closes: /^$/ };
}

function closes(pattern: string): LastingEffect {
  return { opens: [], scopes: [], closes: new RegExp(pattern) };
}

function only(pattern: string): Pick<LastingEffect, "closes"> {
  return { closes: new RegExp(pattern) };
}

/** In which orders an event stands: it waits for the tails of some lanes and is then the tail of others. */
export function lanesOf(event: SoakEvent): { waits: readonly string[]; holds: readonly string[] } {
  switch (event.type) {
    case "run":
    case "stop":
    case "start":
    case "restart":
    case "detach":
    case "attach":
    case "remove":
      return {
        waits: [`host ${event.host}`, `container ${event.name}`],
        holds: [`container ${event.name}`],
      };
    case "kill-all":
      return { waits: [], holds: [] };
    case "kill":
      return { waits: [`kill ${event.host}`], holds: [`kill ${event.host}`] };
    case "forget":
    case "connect":
      return {
        waits: [`host ${event.host}`, `targets ${event.host}`],
        holds: [`targets ${event.host}`],
      };
    case "kill-docker":
    case "stop-docker":
    case "start-docker":
    case "power-cut":
    case "boot":
    case "launch":
      return { waits: [`host ${event.host}`], holds: [`host ${event.host}`] };
    case "reset":
      // Nobody splits the network while it hands its addresses over.
      return {
        waits: [`host ${event.host}`, "network"],
        holds: [`host ${event.host}`, "network"],
      };
    default:
      return { waits: ["network"], holds: ["network"] };
  }
}
