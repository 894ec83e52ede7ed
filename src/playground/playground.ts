/**
 * Many real Docker hosts on one machine: the typed API of `hansa playground`, also for tests.
 *
 * Each host has its own network, mounts, host name, process ids, Docker Engine and disk. A playground belongs to the process that
 * made it until it is disposed, or to nobody when it was made to stay; what a dead owner left is removed by the next `up`.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { isSea } from "node:sea";
import { HansaError } from "../errors.ts";
import { BOOT_SCRIPT, DOCKER_SCRIPT, INIT_SCRIPT } from "./boot-scripts.ts";
import { busyboxTar } from "./busybox-image.ts";
import { applyDelays, routeDelays } from "./delay.ts";
import { placeExecutable } from "./executable.ts";
import { type ExecOptions, type ExecResult, Host } from "./host.ts";
import {
  type BlockedPort,
  type Impairments,
  NO_IMPAIRMENTS,
  withCut,
  withDelay,
} from "./impairment.ts";
import {
  checkName,
  DEFAULT_NAME,
  MAX_HOSTS,
  MAX_LINKS,
  OUTSIDE_ADDRESS,
  playgroundDir,
} from "./layout.ts";
import { makeSwitch, setLinks, setRules } from "./network.ts";
import { Outside } from "./outside.ts";
import { identify, isAlive } from "./processes.ts";
import { checkRequirements, checkRoot } from "./requirements.ts";
import {
  initOf,
  locked,
  mustReadState,
  readState,
  type State,
  updateState,
  writeState,
} from "./state.ts";
import { sweep } from "./sweep.ts";

export { type ExecOptions, type ExecResult, Host };

export interface PlaygroundOptions {
  /** Names everything on this machine; 1 to 8 of a-z and 0-9. Default hpg. */
  readonly name?: string;
  /** Number of hosts, 1 to 20. */
  readonly hosts: number;
  /** Links of each host, 1 to 8; default 1. Link 0 is 192.168.48.0/24, link 1 192.168.49.0/24… */
  readonly links?: number;
  /** The executable that hosts have as /usr/local/bin/hansa, overnode and pvecm until they put another there. Default: this very executable; none when run by node. */
  readonly binary?: string;
  /** True: it outlives this process. */
  readonly stay?: boolean;
  /** Of the losses of `delay`; default 1. */
  readonly seed?: number;
  /** Told one line a step. */
  readonly log?: (line: string) => void;
}

export class Playground {
  readonly name: string;
  /** Number of hosts. */
  readonly size: number;
  /** Links of each host. */
  readonly links: number;

  private constructor(name: string, state: Pick<State, "hosts" | "links">) {
    this.name = name;
    this.size = state.hosts;
    this.links = state.links;
  }

  /**
   * Makes a playground in place of any of that name; resolves when Docker answers on every host and has the image busybox.
   *
   * Throws ROOT_REQUIRED, TOOL_MISSING, USAGE, PLAYGROUND_BUSY (a living process owns that name) or PLAYGROUND_FAILED; nothing is
   * left behind then.
   */
  static async up(options: PlaygroundOptions): Promise<Playground> {
    const name = options.name ?? DEFAULT_NAME;
    const links = options.links ?? 1;
    checkName(name);
    checkCount("hosts", options.hosts, MAX_HOSTS);
    checkCount("links", links, MAX_LINKS);
    checkRequirements();
    const log = options.log ?? (() => {});
    const self = identify(process.pid);
    const binary = resolve(options.binary ?? (isSea() ? process.execPath : "/")).replace(
      /^\/$/,
      "",
    );
    let state: State = {
      version: 1,
      hosts: options.hosts,
      links,
      binary: "",
      owner: self,
      running: {},
      impairments: NO_IMPAIRMENTS,
      seed: options.seed ?? 1,
    };
    await locked(name, async () => {
      refuseOwned(name, self?.pid);
      await sweep(name);
      await mkdir(playgroundDir(name), { recursive: true, mode: 0o711 });
      state = { ...state, binary: await placeExecutable(name, binary) };
      await writeFile(join(playgroundDir(name), "boot.sh"), BOOT_SCRIPT);
      await writeFile(join(playgroundDir(name), "init.sh"), INIT_SCRIPT);
      await writeFile(join(playgroundDir(name), "docker.sh"), DOCKER_SCRIPT);
      await writeState(name, state);
    });
    const playground = new Playground(name, state);
    try {
      await Promise.all([busyboxTar(), makeSwitch(name, links)]);
      await Promise.all(
        playground.hosts().map(async (host) => {
          await host.boot();
          log(`${host.name} is up at ${host.ip()}`);
        }),
      );
      if (options.stay) await updateState(name, (now) => ({ ...now, owner: undefined }));
    } catch (error) {
      await playground.down();
      throw error;
    }
    return playground;
  }

  /** The playground of that name that is up already. Throws PLAYGROUND_NOT_FOUND. */
  static attach(name: string = DEFAULT_NAME): Playground {
    checkName(name);
    checkRoot();
    return new Playground(name, mustReadState(name));
  }

  /** Removes all of that name, also when little of it is left, and also the killed owner's. */
  static async remove(name: string = DEFAULT_NAME): Promise<void> {
    checkName(name);
    checkRoot();
    await locked(name, async () => {
      refuseOwned(name, process.pid);
      await sweep(name);
    });
  }

  /** Host `i`, from 1. Throws PLAYGROUND_NOT_FOUND when there are fewer. */
  host(i: number): Host {
    if (Number.isInteger(i) && i >= 1 && i <= this.size) return new Host(this.name, i);
    const text = `there is no host ${i}: the playground ${this.name} has hosts 1 to ${this.size}`;
    throw new HansaError("PLAYGROUND_NOT_FOUND", text);
  }

  hosts(): readonly Host[] {
    return [...Array(this.size).keys()].map((index) => this.host(index + 1));
  }

  /** The command line, for this machine, that runs `argv` on host `i`: for who starts programs in a way of their own. */
  inHost(i: number, argv: readonly string[]): readonly string[] {
    return this.host(i).commandLine(argv);
  }

  /** What lies outside all hosts: programs run there have the address 192.168.48.1, which the hosts route everything unknown to. */
  get outside(): Outside {
    return new Outside(this.name, OUTSIDE_ADDRESS);
  }

  /** What is wrong with the network at the moment. */
  get impairments(): Impairments {
    return mustReadState(this.name).impairments;
  }

  /** Unplugs one link (from 0) of host `i`, or all of them. */
  cut(i: number, link?: number): Promise<void> {
    return this.#setCut(i, link, true);
  }

  /** Plugs the link in again, or all of them. */
  mend(i: number, link?: number): Promise<void> {
    return this.#setCut(i, link, false);
  }

  /** Splits the network: hosts hear only those of their own group. Replaces any split; a host in no group hears all. */
  part(groups: readonly (readonly number[])[]): Promise<void> {
    for (const i of groups.flat()) this.host(i);
    return this.#change((now) => ({ ...now, groups }));
  }

  /** Ends every split, one-way loss and block. Cut links and delays stay. */
  heal(): Promise<void> {
    return this.#change((now) => ({ ...now, groups: [], oneways: [], blocks: [] }));
  }

  /** Drops every packet from host `from` to host `to`, or those of one port; the other way stays open. */
  oneway(from: number, to: number, only?: BlockedPort): Promise<void> {
    this.#checkPair(from, to);
    return this.#change((now) => ({ ...now, oneways: [...now.oneways, { from, to, only }] }));
  }

  /** Drops, between both hosts and both ways, every packet with that source or destination port, as a firewall between them does. */
  block(a: number, b: number, protocol: "udp" | "tcp", port: number): Promise<void> {
    this.#checkPair(a, b);
    return this.#change((now) => ({
      ...now,
      blocks: [...now.blocks, { a, b, protocol, port }],
    }));
  }

  /** Delays packets between two hosts by `ms` each way (the round trip grows by twice that) and drops `loss` percent each way; 0 ends it. */
  async delay(a: number, b: number, ms: number, loss = 0): Promise<void> {
    this.#checkPair(a, b);
    await locked(this.name, async () => {
      const now = mustReadState(this.name);
      const impairments = withDelay(now.impairments, { a, b, ms, loss });
      const state = { ...now, impairments };
      await writeState(this.name, state);
      await applyDelays(this.name, state, [{ a, b }]);
    });
  }

  /** Removes the playground: processes, namespaces, control groups and disks. */
  down(): Promise<void> {
    return Playground.remove(this.name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
  }

  #setCut(i: number, link: number | undefined, isCut: boolean): Promise<void> {
    this.host(i);
    if (link !== undefined && !(link >= 0 && link < this.links)) {
      const text = `there is no link ${link}: hosts have links 0 to ${this.links - 1}`;
      throw new HansaError("PLAYGROUND_NOT_FOUND", text);
    }
    const cut = { host: i, link, links: this.links };
    return this.#change((now) => withCut(now, cut, isCut));
  }

  #checkPair(a: number, b: number): void {
    this.host(a);
    this.host(b);
    if (a === b) throw new HansaError("USAGE", `hosts ${a} and ${b} are one and the same`);
  }

  /** Records the change and makes links, rules and routes of all running hosts what they must be now. */
  async #change(change: (impairments: Impairments) => Impairments): Promise<void> {
    await locked(this.name, async () => {
      const now = mustReadState(this.name);
      const state = { ...now, impairments: change(now.impairments) };
      await writeState(this.name, state);
      const on = this.hosts().filter((host) => initOf(state, host.number) !== undefined);
      await Promise.all(
        on.map(async ({ number }) => {
          await setLinks(this.name, number, state.links, state.impairments);
          await setRules(this.name, number, state, state.impairments);
        }),
      );
      await routeDelays(this.name, state);
    });
  }
}

function checkCount(what: string, value: number, most: number): void {
  if (Number.isInteger(value) && value >= 1 && value <= most) return;
  throw new HansaError("USAGE", `a playground has 1 to ${most} ${what}, not ${value}`);
}

function refuseOwned(name: string, self: number | undefined): void {
  let owner: State["owner"];
  try {
    owner = readState(name)?.owner;
  } catch {
    // A damaged record names no owner; the sweep removes it.
    return;
  }
  if (owner === undefined || owner.pid === self || !isAlive(owner)) return;
  const text = `the playground ${name} belongs to the running process ${owner.pid}`;
  throw new HansaError("PLAYGROUND_BUSY", text);
}
