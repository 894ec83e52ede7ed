/** `--gossip-port PORT` and its like: the options of all commands that make a node, and what they say. */
import { HansaError } from "../errors.ts";
import type { OptionSpec } from "./command.ts";

export const PORT_OPTIONS: readonly OptionSpec[] = [
  { name: "gossip-port", value: "PORT", summary: "TCP and UDP, default 6783" },
  { name: "overlay-port", value: "PORT", summary: "UDP, and TCP for relays, default 6784" },
  { name: "api-port", value: "PORT", summary: "TCP, for other machines' commands, default 1443" },
  {
    name: "raft-port",
    value: "PORT",
    summary: "TCP, between votes of the store, inside the overlay, default 9212",
  },
  { name: "store-port", value: "PORT", summary: "TCP, the store on loopback, default 2379" },
];

const PORT_NAMES = ["gossip", "overlay", "api", "raft", "store"] as const;

export type GivenPorts = Partial<Record<(typeof PORT_NAMES)[number], number>>;

/** Those that were given. Throws USAGE, with a hint to the help of `command`. */
export function portsOf(values: ReadonlyMap<string, string>, command: string): GivenPorts {
  const ports: GivenPorts = {};
  for (const which of PORT_NAMES) {
    const name = `${which}-port`;
    const text = values.get(name);
    if (text === undefined) continue;
    if (!/^[1-9]\d{0,4}$/.test(text) || Number(text) > 65535) {
      const shown = JSON.stringify(text.slice(0, 100)).slice(1, -1);
      const sentence = `invalid argument: ${name}, required: number [1-65535], received: ${shown}`;
      throw new HansaError("USAGE", sentence, { hint: `see hansa ${command} --help` });
    }
    ports[which] = Number(text);
  }
  return ports;
}
