/**
 * Says which of our containers are strays, hears those of others, and keeps what it heard on disk: the space that the plugin is given
 * leaves it out from the first moment of a daemon's life.
 *
 * Invariant: a container of ours is called a stray only when two looks at Docker, one after the other, both found it so. What was seen
 * before the rings changed says nothing: an address that was released and given to another node is no stray, though Docker's news of it is late.
 *
 * Costs nothing while there are none, and there are none but after one of the four detected cases.
 */
import { isDeepStrictEqual } from "node:util";
import { codedSentence } from "../../errors.ts";
import { atomicWrite, readJson } from "../../host/files.ts";
import type { Logger } from "../../host/logger.ts";
import {
  decodeStrays,
  encodeStrays,
  type HeldStray,
  type HolderState,
  STRAY_EVERY_MS,
  STRAYS_IN_A_NOTE,
  type Stray,
  StrayBoard,
  straysOf,
} from "../../ipam/strays.ts";
import type { Range } from "../../values/cidr.ts";
import type { Beat } from "../timing/beat.ts";
import { SerialQueue } from "../timing/serial-queue.ts";
import type { SeenContainer } from "./reconcile-plan.ts";

export interface StrayLoopOptions {
  /** Our member's name. */
  readonly name: string;
  readonly path: string;
  readonly logger: Logger;
  /** What is ours to give by the rings; empty while a twin has our id. */
  readonly owned: () => readonly Range[];
  /** To every node that is heard: none passes a note on. */
  readonly tell: (body: Uint8Array) => void;
  readonly stateOf: (holder: string) => HolderState;
  /** What others hold changed: not to be given. */
  readonly avoid: (ranges: readonly Range[]) => void;
  /** Strays came or went. */
  readonly changed: () => void;
  /** Asks for a look at Docker soon; `setContainers` then brings what it saw. */
  readonly look: () => void;
  readonly beat: Pick<Beat, "every">;
}

export class StrayLoop {
  readonly #options: StrayLoopOptions;
  readonly #board = new StrayBoard();
  readonly #writes: SerialQueue;
  #containers: readonly Stray[] = [];
  #own: readonly Stray[] = [];
  /** Strays by the last look, which the next one has to see as well. */
  #suspected: readonly Stray[] = [];
  readonly #rest: () => void;

  static async start(options: StrayLoopOptions): Promise<StrayLoop> {
    const file = await readJson(options.path, { parse: readFile });
    return new StrayLoop(options, file ?? []);
  }

  private constructor(options: StrayLoopOptions, known: readonly HeldStray[]) {
    this.#options = options;
    this.#writes = new SerialQueue((error) =>
      options.logger.error("strays cannot be written", { error: codedSentence(error) }),
    );
    for (const stray of known) this.#board.take(stray.holder, [stray], performance.now());
    if (known.length > 0) options.avoid(this.#board.ranges());
    this.#rest = options.beat.every(STRAY_EVERY_MS, () => this.#repeat());
  }

  /** Ours and those of others, ascending by address. */
  list(): readonly HeldStray[] {
    const own = this.#own.map((stray) => ({ ...stray, holder: this.#options.name }));
    return [...own, ...this.#board.list()].sort((a, b) => a.address - b.address);
  }

  /** The containers of this host on our network. */
  setContainers(containers: readonly SeenContainer[]): void {
    this.#containers = containers.flatMap(({ name, address, running }) =>
      running && address !== undefined ? [{ address, container: name }] : [],
    );
    const strays = this.#straysNow();
    const certain = strays.filter(
      (stray) => isAmong(stray, this.#own) || isAmong(stray, this.#suspected),
    );
    this.#suspected = strays;
    if (certain.length < strays.length) this.#options.look();
    this.#setOwn(certain);
  }

  /** What we own may have changed. */
  update(): void {
    const strays = this.#straysNow();
    if (strays.some((stray) => !isAmong(stray, this.#own))) this.#options.look();
    this.#setOwn(strays.filter((stray) => isAmong(stray, this.#own)));
  }

  #straysNow(): readonly Stray[] {
    return straysOf(this.#containers, this.#options.owned(), this.#board.list());
  }

  #setOwn(own: readonly Stray[]): void {
    if (isDeepStrictEqual(own, this.#own)) return;
    const ended = this.#own.filter(({ address }) => !own.some((s) => s.address === address));
    this.#own = own;
    for (const { address, container } of own) {
      this.#options.logger.warn("a container holds an address that is not its own", {
        code: "IPAM_ADDRESS_TWICE",
        container,
        address,
      });
    }
    this.#say([...own, ...ended.map(({ address }) => ({ address, container: "" }))]);
    this.#options.changed();
  }

  /** Takes another node's note. */
  receive(body: Uint8Array): void {
    const note = decodeStrays(body);
    if (!note || note.holder === this.#options.name) return;
    if (this.#board.take(note.holder, note.strays, performance.now())) this.#news();
  }

  async close(): Promise<void> {
    this.#rest();
    await this.#writes.drained();
  }

  #repeat(): void {
    this.#say(this.#own);
    if (this.#board.expire(performance.now(), this.#options.stateOf)) this.#news();
  }

  #say(strays: readonly Stray[]): void {
    for (let at = 0; at < strays.length; at += STRAYS_IN_A_NOTE) {
      const part = strays.slice(at, at + STRAYS_IN_A_NOTE);
      this.#options.tell(encodeStrays(this.#options.name, part));
    }
  }

  #news(): void {
    const { path } = this.#options;
    const strays = this.#board.list();
    this.#writes.add(() => atomicWrite(path, JSON.stringify({ version: 1, strays }), 0o600));
    this.#options.avoid(this.#board.ranges());
    this.update();
    this.#options.changed();
  }
}

function isAmong(stray: Stray, strays: readonly Stray[]): boolean {
  return strays.some(
    ({ address, container }) => address === stray.address && container === stray.container,
  );
}

function readFile(value: unknown): readonly HeldStray[] {
  const { version, strays } = value as { readonly version?: unknown; readonly strays?: unknown };
  if (version !== 1 || !Array.isArray(strays)) throw new RangeError("strays.json");
  return strays.filter(
    (stray): stray is HeldStray =>
      Number.isInteger(stray?.address) &&
      typeof stray.container === "string" &&
      typeof stray.holder === "string",
  );
}
