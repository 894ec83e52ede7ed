/**
 * Copies of the store that this node has, and those that it fetches from others: what its etcd has, and what it last saw of the store.
 *
 * Invariant: a copy that was fetched is one that the other node had at one moment: its parts are told apart by the checksum of the whole.
 */
import { createHash } from "node:crypto";
import type { CopyPart, CopyPartRequest, OwnCopies } from "../../api/store-schemas.ts";
import { isCopyPart, isOwnCopies } from "../../client/store-check.ts";
import { HansaError, isHansaError } from "../../errors.ts";
import type { Clock } from "../../host/clock.ts";
import type { NodeStore } from "../../store/node-store.ts";
import type { CopyInReach } from "../../store/recovery-plan.ts";
import { decodeStoreCopy, encodeStoreCopy, type StoreCopy } from "../../store/store-copy.ts";
import { GIVEN_KEY, givenIn } from "../../store/votes.ts";
import { askPeer } from "../doors/ask-peer.ts";
import type { PeerRequests } from "../doors/peer-requests.ts";
import type { VoterPlace } from "../votes/voter-place.ts";

type Source = CopyInReach["source"];
type Node = CopyInReach["node"];

export interface CopyDeskOptions {
  readonly self: Node;
  readonly place: Pick<VoterPlace, "copy" | "link">;
  /** What this node last saw of the store. */
  readonly mirror: () => StoreCopy | undefined;
  /** As a majority has it. */
  readonly store: Pick<NodeStore, "read">;
  readonly peers: Pick<PeerRequests, "request" | "unreachable">;
  readonly clock: Clock;
}

/** As base64 in JSON well below what an answer may have. */
const PART_BYTES = 512 * 1024;
const LOOK_MS = 3000;
const PART_MS = 15_000;
/** Copies that are fetched at a time, and for how long after the last part. */
const MAX_FETCHED = 3;
const KEPT_MS = 60_000;
/** More than the store's own bound. */
const MAX_COPY_BYTES = 1024 ** 3;

interface Encoded extends Pick<CopyPart, "sum" | "source" | "takenAtMs"> {
  readonly bytes: Uint8Array;
  /** Cancels its end. */
  readonly forget: () => void;
}

/** What another node says of its copies. */
export interface CopiesFound {
  readonly copies: CopyInReach[];
  readonly isQuorate: boolean;
  /** Its etcd cannot be read. */
  readonly isBroken: boolean;
}

export class CopyDesk {
  readonly #options: CopyDeskOptions;
  /** What is being fetched in parts, by its sum; the one asked for longest ago first. */
  readonly #fetched = new Map<string, Encoded>();

  constructor(options: CopyDeskOptions) {
    this.#options = options;
  }

  /** Of this node. */
  async own(): Promise<CopiesFound> {
    const { self, place } = this.#options;
    const copies: CopyInReach[] = [];
    let isBroken = false;
    for (const source of ["voter", "mirror"] as const) {
      try {
        const copy = await this.copy(source);
        if (copy) copies.push(described(copy, source, self));
      } catch (error) {
        if (!isHansaError(error)) throw error;
        isBroken = true;
      }
    }
    return { copies, isBroken, isQuorate: await isQuorate(place) };
  }

  async answer(): Promise<OwnCopies> {
    const { copies, ...rest } = await this.own();
    return { ...rest, copies: copies.map(shown) };
  }

  /** Of another node. Throws NODE_UNREACHABLE, and as it refuses. */
  async of(node: Node): Promise<CopiesFound> {
    const question = { method: "GET", path: "/v1/store/copies/own", timeoutMs: LOOK_MS } as const;
    const answer = await askPeer(this.#options.peers, node, question);
    if (!isOwnCopies(answer)) throw strange(node);
    const { copies, ...rest } = answer;
    return { ...rest, copies: copies.map((copy) => read(copy, node)) };
  }

  /** Undefined where this node has none of that kind. Throws as a store does. */
  async copy(source: Source): Promise<StoreCopy | undefined> {
    const { place, mirror, clock } = this.#options;
    return source === "mirror" ? mirror() : await place.copy(clock.wallMs());
  }

  /** One part of an own copy. Throws STORE_NONE, and STORE_COMPACTED when it is another one by now. */
  async part({ source, sum, offset }: CopyPartRequest): Promise<CopyPart> {
    const encoded = sum === null ? await this.#encode(source) : this.#fetched.get(sum);
    if (encoded === undefined) {
      throw new HansaError("STORE_COMPACTED", "the copy is another one by now: begin anew");
    }
    const { bytes, sum: now, source: from, takenAtMs } = encoded;
    const part = bytes.subarray(offset, offset + PART_BYTES);
    if (offset + PART_BYTES >= bytes.length) this.#fetched.delete(now);
    else this.#keep(encoded);
    const data = Buffer.from(part).toString("base64");
    return { source: from, takenAtMs, sum: now, length: bytes.length, data };
  }

  async #encode(wanted: CopyPartRequest["source"]): Promise<Encoded> {
    const { copy, source } = wanted === "best" ? await this.#best() : await this.#only(wanted);
    const bytes = encodeStoreCopy(copy);
    const sum = createHash("sha256").update(bytes).digest("hex");
    return { bytes, sum, source, takenAtMs: copy.takenAtMs, forget: () => undefined };
  }

  /** For a while: who asked for it may have gone away. */
  #keep(encoded: Encoded): void {
    const { sum } = encoded;
    this.#fetched.get(sum)?.forget();
    this.#fetched.delete(sum);
    const forget = this.#options.clock.after(KEPT_MS, () => this.#fetched.delete(sum));
    this.#fetched.set(sum, { ...encoded, forget });
    const [oldest] = this.#fetched.values();
    if (this.#fetched.size <= MAX_FETCHED || oldest === undefined) return;
    oldest.forget();
    this.#fetched.delete(oldest.sum);
  }

  async #best(): Promise<{ readonly copy: StoreCopy; readonly source: CopyPart["source"] }> {
    const { store, clock } = this.#options;
    try {
      const takenAtMs = clock.wallMs();
      const copy = await store.read(async (reached) => {
        const { entries, revision } = await reached.store.list("");
        return { store: reached.mark, revision, takenAtMs, entries };
      });
      return { copy, source: "majority" };
    } catch (error) {
      if (!isHansaError(error)) throw error;
      const mirror = await this.copy("mirror");
      return mirror ? { copy: mirror, source: "mirror" } : await this.#only("voter");
    }
  }

  async #only(source: Source): Promise<{ readonly copy: StoreCopy; readonly source: Source }> {
    const copy = await this.copy(source);
    if (copy) return { copy, source };
    throw new HansaError("STORE_NONE", "this node has no copy of a store");
  }

  /** All of a copy in reach. Throws as `part` and NODE_UNREACHABLE, and STATE_DAMAGED for what is no copy. */
  async fetch({ node, source }: Pick<CopyInReach, "node" | "source">): Promise<StoreCopy> {
    if (node.id === this.#options.self.id) {
      const copy = await this.copy(source);
      if (copy) return copy;
      throw new HansaError("STORE_NONE", "this node has no copy of a store any more");
    }
    const parts: Buffer[] = [];
    let sum: string | null = null;
    for (let [offset, length] = [0, 1]; offset < length; ) {
      const answer = await askPeer(this.#options.peers, node, {
        ...{ method: "POST", path: "/v1/store/copies/part", timeoutMs: PART_MS },
        body: { source, sum, offset },
      });
      if (!isCopyPart(answer) || answer.length > MAX_COPY_BYTES) throw strange(node);
      const data = Buffer.from(answer.data, "base64");
      if (data.length === 0) throw strange(node);
      parts.push(data);
      [sum, length] = [answer.sum, answer.length];
      offset += data.length;
    }
    const decoded = decodeStoreCopy(Buffer.concat(parts));
    if (decoded.ok) return decoded.copy;
    throw new HansaError("STATE_DAMAGED", `the copy of node ${node.id} ${decoded.reason}`);
  }
}

/** Whether a majority answers by way of this node's etcd. */
async function isQuorate(place: Pick<VoterPlace, "link">): Promise<boolean> {
  try {
    const link = await place.link();
    if (link === undefined) return false;
    await link.store.get(GIVEN_KEY);
    return true;
  } catch (error) {
    if (!isHansaError(error)) throw error;
    return false;
  }
}

function described(
  { store, revision, takenAtMs, entries }: StoreCopy,
  source: Source,
  node: Node,
): CopyInReach {
  const given = givenIn(entries.find(({ key }) => key === GIVEN_KEY)?.value);
  return { node, source, store, revision, takenAtMs, entries: entries.length, ...given };
}

function shown({ node: _, revision, ...rest }: CopyInReach): OwnCopies["copies"][number] {
  return { ...rest, voters: [...rest.voters], revision: `${revision}` };
}

function read({ revision, ...rest }: OwnCopies["copies"][number], node: Node): CopyInReach {
  return { ...rest, node, revision: BigInt(revision) };
}

function strange({ id, name }: Node): HansaError {
  return new HansaError("NODE_UNREACHABLE", `node ${id} (${name}) answers what nobody understands`);
}
