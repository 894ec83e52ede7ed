/**
 * What this node keeps open to the witness: a conversation, by which each knows what the other holds to; and, on a voter, the ways of raft both ways. A listener
 * on loopback stands where the etcds have the witness' address, and joins each connection to the witness' etcd; and some connections wait until that wants this
 * voter's.
 *
 * Invariants: a witness that does not answer for SILENCE_MS is not heard, and everything that goes through it ends, so that the etcds look for another way
 * at once; there is one of each, tried again with a back-off; raft's own TLS passes through all of it untouched.
 */
import { connect, createServer, type Server, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Voter } from "../../api/store-schemas.ts";
import { isVoter } from "../../client/store-check.ts";
import { codedSentence, HansaError, isHansaError } from "../../errors.ts";
import type { Clock } from "../../host/clock.ts";
import type { Logger } from "../../host/logger.ts";
import type { StoreMark } from "../../store/store-mark.ts";
import type { StoreTls } from "../../store/store-tls.ts";
import { type WitnessRecord, type WitnessState, witnessTitle } from "../../store/witness-record.ts";
import { JOIN_BYTE, parseMark, RAFT, SPARE, TALK } from "../../witness/witness-protocol.ts";
import { splice } from "../doors/splice.ts";
import { dialWitness, WitnessTalk } from "./witness-connection.ts";

export interface WitnessLinkOptions {
  readonly record: WitnessRecord;
  readonly tls: () => Promise<StoreTls>;
  /** Where this node's etcd serves others; undefined without a vote. */
  readonly raft: () => { readonly ip: string; readonly port: number } | undefined;
  /** What this node holds to, or knows of. */
  readonly mark: () => StoreMark | undefined;
  readonly changed: () => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

const VOTER_ASK_MS = 1000;
/** Who has no vote only wants to know. */
const OTHER_ASK_MS = 5000;
const SILENCE_MS = 3000;
const RETRY_MS = 1000;
/** etcd keeps about six connections to each other voter, and opens them one after another. */
const SPARES = 3;
const MAX_JOINED = 64;
/** Of so many the middle one counts: a busy moment of either end is no distance. */
const TRIPS = 9;

export class WitnessLink {
  readonly #options: WitnessLinkOptions;
  readonly #title: string;
  #talk: WitnessTalk | undefined;
  #state: WitnessState = { isHeard: false, mark: undefined };
  #why: string | undefined;
  /** The last times to the witness and back, milliseconds. */
  readonly #trips: number[] = [];
  #server: Server | undefined;
  #listens: string | undefined;
  readonly #waiting = new Set<Socket>();
  readonly #joined = new Set<Socket>();
  #dialling = 0;
  #cancel = (): void => undefined;
  /** A look is under way; and another one is wanted right after it. */
  #isLooking = false;
  #again = false;
  #closed = false;

  constructor(options: WitnessLinkOptions) {
    this.#options = options;
    this.#title = witnessTitle(options.record);
    this.#lookIn(0);
  }

  get record(): WitnessRecord {
    return this.#options.record;
  }

  get state(): WitnessState {
    return this.#state;
  }

  /** How long it takes to the witness and back, milliseconds; undefined: not known. */
  get rttMs(): number | undefined {
    const { length } = this.#trips;
    return this.#trips.toSorted((a, b) => a - b)[Math.floor(length / 2)];
  }

  /** Why it is not heard, or not reached by this node's etcd, in a sentence with a code; undefined when all is well. */
  get problem(): string | undefined {
    return this.#listens ?? this.#why;
  }

  /** What its etcd says; undefined when it does not answer. */
  async voter(): Promise<Voter | undefined> {
    try {
      const { id: _, ok: __, ...answer } = await this.ask("voter", {}, VOTER_ASK_MS);
      return isVoter(answer) ? answer : undefined;
    } catch (error) {
      if (!isHansaError(error)) throw error;
      return undefined;
    }
  }

  /** Throws WITNESS_UNREACHABLE, and as the witness refuses. */
  async ask(op: string, fields: Readonly<Record<string, unknown>>, timeoutMs: number) {
    const talk = this.#talk;
    if (talk === undefined) {
      throw new HansaError("WITNESS_UNREACHABLE", `${this.#title} is not heard`);
    }
    return await talk.ask(op, fields, timeoutMs);
  }

  /** This node may have a vote now, or none, or hold to another store. */
  wake(): void {
    this.#lookIn(0);
  }

  close(): void {
    this.#closed = true;
    this.#cancel();
    this.#talk?.close();
    this.#endWays();
    this.#server?.close();
  }

  #lookIn(ms: number): void {
    this.#cancel();
    if (this.#closed) return;
    this.#cancel = this.#options.clock.after(ms, () => void this.#lookAlone());
  }

  /** One at a time: two would open two conversations. */
  async #lookAlone(): Promise<void> {
    if (this.#isLooking) {
      this.#again = true;
      return;
    }
    this.#isLooking = true;
    try {
      await this.#look();
    } finally {
      this.#isLooking = false;
      if (this.#again) this.#lookIn(0);
      this.#again = false;
    }
  }

  async #look(): Promise<void> {
    const { raft } = this.#options;
    const isVoting = raft() !== undefined;
    try {
      this.#serve(isVoting);
      const talk = await this.#talking();
      const { mark, clock } = this.#options;
      const askedMs = clock.monotonicMs();
      const answer = await talk.ask("hello", { store: mark() ?? null }, SILENCE_MS);
      this.#trips.push(clock.monotonicMs() - askedMs);
      if (this.#trips.length > TRIPS) this.#trips.shift();
      this.#note({ isHeard: true, mark: parseMark(answer["store"]) }, undefined);
      this.#keepSpares();
      this.#lookIn(isVoting ? VOTER_ASK_MS : OTHER_ASK_MS);
    } catch (error) {
      if (!isHansaError(error)) {
        this.#options.logger.error("the witness was not asked", { error: `${error}` });
      }
      this.#talk?.close();
      this.#talk = undefined;
      this.#endWays();
      this.#note({ isHeard: false, mark: undefined }, codedSentence(error));
      this.#lookIn(RETRY_MS);
    }
  }

  #note(state: WitnessState, why: string | undefined): void {
    const before = this.#state;
    const isSame =
      before.isHeard === state.isHeard &&
      before.mark?.id === state.mark?.id &&
      before.mark?.generation === state.mark?.generation;
    this.#state = state;
    if (why !== this.#why && why !== undefined) {
      this.#options.logger.warn("the witness is not heard", { why });
    }
    this.#why = why;
    if (!isSame && !this.#closed) this.#options.changed();
  }

  async #talking(): Promise<WitnessTalk> {
    if (this.#talk !== undefined) return this.#talk;
    const socket = await this.#dial(TALK);
    const talk = new WitnessTalk(socket, this.#title, () => {
      if (this.#talk !== talk) return;
      this.#talk = undefined;
      this.#lookIn(0);
    });
    if (this.#closed) talk.close();
    this.#talk = talk;
    return talk;
  }

  async #dial(protocol: typeof TALK | typeof RAFT | typeof SPARE): Promise<TLSSocket> {
    return await dialWitness(this.#options.record, protocol, await this.#options.tls());
  }

  /** Where the etcds of the voters, this node's among them, have the witness' address. */
  #serve(isVoting: boolean): void {
    const { record, logger, changed } = this.#options;
    if (!isVoting) {
      this.#server?.close();
      this.#server = undefined;
      this.#listens = undefined;
      this.#endWays();
      return;
    }
    if (this.#server !== undefined) return;
    const server = createServer((socket) => void this.#forth(socket));
    server.maxConnections = MAX_JOINED;
    server.on("error", (error) => {
      const text = `PORT_TAKEN: port ${record.raftPort}/tcp on 127.0.0.1, by which this node's etcd reaches the witness, cannot be had: ${error.message}`;
      if (this.#listens !== text) logger.warn("the witness is not reached", { why: text });
      this.#listens = text;
      if (this.#server === server) this.#server = undefined;
      changed();
    });
    server.on("listening", () => {
      this.#listens = undefined;
    });
    this.#server = server;
    server.listen({ host: "127.0.0.1", port: record.raftPort });
  }

  /** From this node's etcd to the witness'. */
  async #forth(socket: Socket): Promise<void> {
    socket.on("error", () => socket.destroy());
    if (!this.#state.isHeard) {
      socket.destroy();
      return;
    }
    try {
      this.#join(socket, await this.#dial(RAFT));
    } catch (error) {
      socket.destroy();
      this.#failed(error);
    }
  }

  /** A way that does not open is tried again, by etcd or at the next look. */
  #failed(error: unknown): void {
    if (isHansaError(error)) return;
    this.#options.logger.error("a way to the witness failed", { error: `${error}` });
  }

  /** Connections that wait for the witness' etcd to want this node's. */
  #keepSpares(): void {
    while (
      !this.#closed &&
      this.#state.isHeard &&
      this.#options.raft() !== undefined &&
      this.#waiting.size + this.#dialling < SPARES &&
      this.#joined.size < MAX_JOINED
    ) {
      this.#dialling += 1;
      void this.#spare();
    }
  }

  async #spare(): Promise<void> {
    try {
      const socket = await this.#dial(SPARE);
      if (!this.#state.isHeard || this.#closed) socket.destroy();
      else this.#await(socket);
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#dialling -= 1;
    }
  }

  #await(socket: TLSSocket): void {
    this.#waiting.add(socket);
    socket.once("close", () => this.#waiting.delete(socket));
    socket.once("data", (chunk: Buffer) => {
      socket.pause();
      this.#waiting.delete(socket);
      this.#keepSpares();
      const place = this.#options.raft();
      if (chunk[0] !== JOIN_BYTE || place === undefined) {
        socket.destroy();
        return;
      }
      if (chunk.length > 1) socket.unshift(chunk.subarray(1));
      // The witness' certificate is good for loopback only, and etcd holds it to where it comes from.
      const far = connect({ host: place.ip, port: place.port, localAddress: "127.0.0.1" });
      far.once("error", () => socket.destroy());
      far.once("connect", () => {
        socket.write(Buffer.of(JOIN_BYTE));
        this.#join(far, socket);
      });
    });
  }

  #join(one: Socket, other: Socket): void {
    one.setNoDelay(true);
    for (const socket of [one, other]) {
      this.#joined.add(socket);
      socket.once("close", () => this.#joined.delete(socket));
    }
    splice(one, other);
  }

  #endWays(): void {
    for (const socket of [...this.#waiting, ...this.#joined]) socket.destroy();
  }
}
