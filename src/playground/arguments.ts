/**
 * The words after `hansa playground`, as a command. Pure: whether hosts and links exist is the playground's business.
 *
 * Invariant: a word that is not understood is refused with USAGE; nothing is guessed. Words after `x I` and `d I` are
 * not looked at.
 */
import { HansaError } from "../errors.ts";
import type { BlockedPort } from "./impairment.ts";
import { DEFAULT_NAME } from "./layout.ts";

export type Action =
  | { readonly kind: "help" }
  | {
      readonly kind: "up";
      readonly hosts: number;
      readonly links: number;
      readonly binary?: string;
    }
  | { readonly kind: "exec"; readonly host: number; readonly argv: readonly string[] }
  | { readonly kind: "docker"; readonly host: number; readonly args: readonly string[] }
  | { readonly kind: "cut" | "mend"; readonly host: number; readonly link?: number }
  | { readonly kind: "part"; readonly groups: readonly (readonly number[])[] }
  | { readonly kind: "heal" | "down" }
  | {
      readonly kind: "oneway";
      readonly from: number;
      readonly to: number;
      readonly only?: BlockedPort;
    }
  | {
      readonly kind: "block";
      readonly a: number;
      readonly b: number;
      readonly protocol: "udp" | "tcp";
      readonly port: number;
    }
  | { readonly kind: "kill" | "boot"; readonly host: number }
  | {
      readonly kind: "delay";
      readonly a: number;
      readonly b: number;
      readonly ms: number;
      readonly loss: number;
    }
  | { readonly kind: "list"; readonly output: "table" | "json" | "yaml" };

export interface Request {
  /** The playground's name. */
  readonly name: string;
  readonly action: Action;
}

export const HELP = `Usage: hansa playground [--name NAME] COMMAND

Many real Docker hosts on this machine, to try Hansa on. Hosts are numbered from 1, links from 0.

Commands:
  up N [--links K] [--binary FILE]   make N hosts (1-20) with K links each (1-8, default 1)
  list [-o table|json|yaml]          hosts, addresses, and what is wrong with the network
  x I CMD...                         run a command on host I
  d I ARGS...                        run docker on host I
  kill I | boot I                    cut host I's power | switch it on
  cut I [LINK] | mend I [LINK]       unplug a link of host I, or all | plug in again
  part 1,2,5 3,4                     split the network into groups that do not hear each other
  oneway I J [udp|tcp PORT]          drop what host I sends to host J, or only packets of that port
  block I J udp|tcp PORT             drop packets of one port between two hosts
  heal                               end splits, one-way losses and blocks
  delay I J MS [--loss PCT]          delay packets between two hosts by MS each way; delay I J 0 ends it
  down                               remove all of it

Options:
  --name NAME                        another playground beside the default one, ${DEFAULT_NAME}
`;

/** Understands `argv`, the words after `playground`. Throws USAGE. */
export function parseArguments(argv: readonly string[]): Request {
  const words = [...argv];
  let name = takeOption(words, 0, "--name");
  const command = words.shift() ?? "help";
  // After x and d everything from the command on belongs to the host.
  const isOpen = command === "x" || command === "d";
  const own = isOpen ? words.splice(0, hostIndex(words) + 1) : words.splice(0);
  for (let at = 0; at < own.length; ) {
    const value = takeOption(own, at, "--name");
    if (value === undefined) at += 1;
    else name = value;
  }
  const isHelp = own.some((word) => word === "--help" || word === "-h");
  const action = isHelp ? { kind: "help" as const } : actionOf(command, own, words);
  return { name: name ?? DEFAULT_NAME, action };
}

function actionOf(command: string, words: string[], rest: readonly string[]): Action {
  switch (command) {
    case "help":
    case "--help":
    case "-h":
      return { kind: "help" };
    case "up": {
      const links = option(words, "--links");
      const binary = option(words, "--binary");
      const [hosts] = numbers(words, ["N"]);
      const size = { hosts, links: links === undefined ? 1 : whole("K", links) };
      return { kind: "up", ...size, ...(binary === undefined ? {} : { binary }) };
    }
    case "x": {
      const [host] = numbers(words, ["I"]);
      if (rest.length === 0) throw usage("x wants a command to run on the host");
      return { kind: "exec", host, argv: rest };
    }
    case "d": {
      const [host] = numbers(words, ["I"]);
      return { kind: "docker", host, args: rest };
    }
    case "cut":
    case "mend": {
      if (words.length < 2) return { kind: command, host: numbers(words, ["I"])[0] };
      const [host, link] = numbers(words, ["I", "LINK"]);
      return { kind: command, host, link };
    }
    case "part":
      return { kind: "part", groups: groupsOf(words) };
    case "heal":
    case "down":
      numbers(words, []);
      return { kind: command };
    case "oneway": {
      if (words.length < 3) {
        const [from, to] = numbers(words, ["I", "J"]);
        return { kind: "oneway", from, to };
      }
      const { first: from, second: to, ...only } = blockedPort("oneway", words);
      return { kind: "oneway", from, to, only };
    }
    case "block": {
      const { first: a, second: b, protocol, port } = blockedPort("block", words);
      return { kind: "block", a, b, protocol, port };
    }
    case "kill":
    case "boot":
      return { kind: command, host: numbers(words, ["I"])[0] };
    case "delay": {
      const loss = option(words, "--loss");
      const [a, b, ms] = numbers(words, ["I", "J", "MS"]);
      const percent = loss === undefined ? 0 : Number(loss.replace(/%$/, ""));
      if (!(percent >= 0 && percent <= 100)) throw usage(`${loss} is not a percentage: 0 to 100`);
      return { kind: "delay", a, b, ms, loss: percent };
    }
    case "list": {
      const output = option(words, "-o") ?? option(words, "--output") ?? "table";
      numbers(words, []);
      if (output !== "table" && output !== "json" && output !== "yaml") {
        throw usage(`${JSON.stringify(output)} is not an output: table, json or yaml`);
      }
      return { kind: "list", output };
    }
    default:
      throw usage(`hansa playground has no command ${JSON.stringify(command)}`);
  }
}

/** Two hosts, a protocol and a port. */
function blockedPort(
  command: string,
  words: string[],
): BlockedPort & { readonly first: number; readonly second: number } {
  const [protocol] = words.splice(2, 1);
  if (protocol !== "udp" && protocol !== "tcp") throw usage(`${command} wants I J udp|tcp PORT`);
  const [first, second, port] = numbers(words, ["I", "J", "PORT"]);
  if (port < 1 || port > 65_535) throw usage(`${port} is not a port: 1 to 65535`);
  return { first, second, protocol, port };
}

function usage(message: string): HansaError {
  return new HansaError("USAGE", message, { hint: "see hansa playground --help" });
}

/** The words as whole numbers, one for each of `names`, no more and no fewer. */
function numbers<const N extends readonly string[]>(
  words: readonly string[],
  names: N,
): { [K in keyof N]: number } {
  const unknown = words.find((word) => word.startsWith("-"));
  if (unknown !== undefined) throw usage(`unknown option ${unknown}`);
  if (words.length !== names.length) {
    const wanted = names.length === 0 ? "no words" : names.join(" ");
    throw usage(`expected ${wanted}, not ${words.length === 0 ? "nothing" : words.join(" ")}`);
  }
  return names.map((name, index) => whole(name, words[index] ?? "")) as { [K in keyof N]: number };
}

function whole(name: string, word: string): number {
  if (/^\d{1,9}$/.test(word)) return Number(word);
  throw usage(`${name} is a whole number, not ${JSON.stringify(word)}`);
}

function groupsOf(words: readonly string[]): readonly (readonly number[])[] {
  if (words.length < 2) throw usage("part wants two or more groups, such as: part 1,2,5 3,4");
  const groups = words.map((word) => word.split(",").map((each) => whole("a host", each)));
  const all = groups.flat();
  const twice = all.find((host, index) => all.indexOf(host) !== index);
  if (twice !== undefined) throw usage(`host ${twice} is in the split twice`);
  return groups;
}

/** Takes `name VALUE` or `name=VALUE` out of `words`, wherever it stands. */
function option(words: string[], name: string): string | undefined {
  const at = words.findIndex((word) => word === name || word.startsWith(`${name}=`));
  return at < 0 ? undefined : takeOption(words, at, name);
}

function takeOption(words: string[], at: number, name: string): string | undefined {
  const word = words[at];
  if (word?.startsWith(`${name}=`)) {
    words.splice(at, 1);
    return word.slice(name.length + 1);
  }
  if (word !== name) return undefined;
  const [, value] = words.splice(at, 2);
  if (value === undefined) throw usage(`${name} wants a value`);
  return value;
}

/** Where the host's number stands after x or d: behind --name, where that is given. */
function hostIndex(words: readonly string[]): number {
  if (words[0] === "--name") return 2;
  return words[0]?.startsWith("--name=") ? 1 : 0;
}
