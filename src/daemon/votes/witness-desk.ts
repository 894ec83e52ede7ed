/**
 * Takes a witness in, and lets it go.
 *
 * Invariants: everything is looked at first and all that is wrong is told at once; nothing is changed on failure. The box gets a certificate for its own key and
 * nothing else: no token, no root, no node's certificate.
 */

import type { StoreView } from "../../api/store-schemas.ts";
import { BUILD } from "../../api/version.ts";
import type {
  RemovedWitness,
  RemoveWitness,
  SetupWitness,
  WitnessReach,
  WitnessReached,
} from "../../api/witness-schemas.ts";
import { HansaError, isHansaError } from "../../errors.ts";
import type { Fields } from "../../host/line-channel.ts";
import type { Logger } from "../../host/logger.ts";
import { CONFIG_VERSION_KEY } from "../../store/node-registry.ts";
import type { Store } from "../../store/store.ts";
import { certifyVoter } from "../../store/store-tls.ts";
import { lossWithout } from "../../store/vote-change.ts";
import { WITNESS } from "../../store/voter-plan.ts";
import {
  decodeWitness,
  isWitnessHost,
  WITNESS_KEY,
  type WitnessRecord,
  witnessCommit,
  witnessTitle,
} from "../../store/witness-record.ts";
import {
  claimProof,
  isProof,
  isText,
  parseCode,
  parseFacts,
  TALK,
  type WitnessFacts,
} from "../../witness/witness-protocol.ts";
import { askPeer } from "../doors/ask-peer.ts";
import type { PeerRequests } from "../doors/peer-requests.ts";
import type { MembershipLoop } from "../membership/membership-loop.ts";
import { isHeard } from "../membership/roster.ts";
import { asVoter } from "./vote-desk.ts";
import { dialStranger, dialWitness, WitnessTalk } from "./witness-connection.ts";
import type { WitnessKeeper } from "./witness-keeper.ts";

export interface WitnessDeskOptions {
  readonly self: { readonly id: number; readonly name: string };
  readonly cluster: string;
  readonly roots: readonly Uint8Array[];
  readonly keeper: Pick<WitnessKeeper, "tls">;
  readonly membership: Pick<MembershipLoop, "roster">;
  readonly peers: Pick<PeerRequests, "request" | "unreachable">;
  readonly logger: Logger;
}

const ASK_MS = 5000;
/** The box begins, and puts its data away, in less. */
const TAKE_MS = 15_000;
/** The store's leader takes the vote away. */
const GONE_MS = 20_000;
const LOOK_MS = 200;

type UsedStore = Pick<Store, "get" | "commit">;

export class WitnessDesk {
  readonly #options: WitnessDeskOptions;

  constructor(options: WitnessDeskOptions) {
    this.#options = options;
  }

  /** Written down when it resolves; whoever leads gives it its vote. Throws WITNESS_EXISTS, WITNESS_REFUSED, WITNESS_UNREACHABLE, and as the store does. */
  async setup(
    store: UsedStore,
    { host, port, code, force }: SetupWitness,
    view: () => Promise<StoreView>,
  ): Promise<void> {
    const written = (await store.get(WITNESS_KEY)).entry;
    const known = decodeWitness(written?.value);
    if (known) {
      throw new HansaError("WITNESS_EXISTS", "QDevice already configured!", {
        hint: `it is ${known.host}; take it away first: hansa qdevice remove`,
      });
    }
    if (!isWitnessHost(host)) {
      throw new HansaError("USAGE", `${host} is neither a name nor an address`);
    }
    const problems = this.#nodeProblems(await view(), force);
    const [socket, key] = await dialStranger({ host, port });
    const talk = new WitnessTalk(socket, witnessTitle({ host }));
    try {
      const facts = parseFacts(await talk.ask("look", {}, ASK_MS));
      problems.push(...boxProblems(facts), ...(await this.#reachProblems({ host, port, key })));
      const request = facts.isTaken ? undefined : await proven(talk, code, key, problems);
      if (problems.length > 0 || request === undefined) {
        throw new HansaError("WITNESS_REFUSED", problems.join("; "));
      }
      const { roots, cluster, logger } = this.#options;
      const { certificate, ca } = await certifyVoter(roots, request);
      if (certificate === undefined) {
        throw new HansaError("WITNESS_REFUSED", "the box's certificate request is malformed");
      }
      const record = { host, port, key, raftPort: facts.raftPort };
      await talk.ask("take", { cluster, certificate, ca: [...ca] }, TAKE_MS);
      try {
        await this.#write(store, record);
      } catch (error) {
        await this.#release(record);
        throw error;
      }
      logger.info("a witness was set up", { host, port, key });
    } finally {
      talk.close();
    }
  }

  /** Takes its vote, and has it put its data away. Throws WITNESS_NONE, STORE_REFUSED where the store would have no majority without it, and as the store does. */
  async remove(
    store: UsedStore,
    { force }: RemoveWitness,
    view: () => Promise<StoreView>,
  ): Promise<RemovedWitness> {
    const record = decodeWitness((await store.get(WITNESS_KEY)).entry?.value);
    if (record === undefined) throw new HansaError("WITNESS_NONE", "No QDevice configured!");
    const loss = lossWithout((await view()).voters.map(asVoter), WITNESS);
    if (loss && !force) {
      const text = loss.message.replace(/node 0/, "the witness");
      throw new HansaError("STORE_REFUSED", text, { hint: loss.hint });
    }
    await this.#write(store, undefined);
    const endMs = performance.now() + GONE_MS;
    const isThere = async (): Promise<boolean> =>
      (await view()).voters.some(({ id }) => id === WITNESS);
    while ((await isThere()) && performance.now() < endMs) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    this.#options.logger.info("the witness was removed", { host: record.host });
    return { host: record.host, wasTold: await this.#release(record) };
  }

  /** Whether this node reaches that box. */
  async reach({ host, port, key }: WitnessReach): Promise<WitnessReached> {
    try {
      const [socket, found] = await dialStranger({ host, port });
      socket.destroy();
      return { problem: found === key ? null : "somebody else answers there" };
    } catch (error) {
      if (!isHansaError(error)) throw error;
      return { problem: error.message };
    }
  }

  #nodeProblems({ voters, votes }: StoreView, force: boolean): string[] {
    const { peers } = this.#options.membership.roster();
    const silent = peers.filter((peer) => !isHeard(peer));
    const problems = silent.map(
      ({ metadata: { id, name } }) =>
        `node ${id} (${name}) is not heard, and all nodes must be online`,
    );
    const answers = (state: StoreView["voters"][number]["state"]): boolean =>
      state === "leads" || state === "follows";
    for (const { id, name } of voters.filter(({ state }) => !answers(state))) {
      if (silent.some(({ metadata }) => metadata.id === id)) continue;
      problems.push(`the vote of node ${id} (${name}) does not answer`);
    }
    if (votes.expected % 2 === 1 && !force) {
      problems.push(
        `Clusters with an odd node count are not officially supported! (with ${votes.expected} votes a witness would survive no failure more; --force: its vote then waits until they are even)`,
      );
    }
    return problems;
  }

  /** All nodes must reach it: each may lead. */
  async #reachProblems(place: WitnessReach): Promise<string[]> {
    const { peers, membership } = this.#options;
    const asked = membership
      .roster()
      .peers.filter(isHeard)
      .map(async ({ metadata }) => {
        const { id, name } = metadata;
        try {
          const answer = await askPeer(peers, metadata, {
            ...{ method: "POST", path: "/v1/store/witness/reach", body: place },
            timeoutMs: 2 * ASK_MS,
          });
          const { problem } = answer as WitnessReached;
          return problem === null ? [] : [`node ${id} (${name}): ${problem}`];
        } catch (error) {
          if (!isHansaError(error)) throw error;
          return [`node ${id} (${name}) could not be asked whether it reaches it`];
        }
      });
    return (await Promise.all(asked)).flat();
  }

  async #write(store: UsedStore, record: WitnessRecord | undefined): Promise<void> {
    for (;;) {
      const { entry: written } = await store.get(WITNESS_KEY);
      const { entry: version } = await store.get(CONFIG_VERSION_KEY);
      const isThere = written !== undefined;
      if (record && isThere) throw new HansaError("WITNESS_EXISTS", "QDevice already configured!");
      if (!record && !isThere) return;
      const { ok } = await store.commit(witnessCommit(record, written, version));
      if (ok) return;
    }
  }

  /** Has it be nobody's again; false where it could not be told. */
  async #release(record: WitnessRecord): Promise<boolean> {
    const endMs = performance.now() + ASK_MS;
    for (;;) {
      try {
        const socket = await dialWitness(record, TALK, await this.#options.keeper.tls());
        const talk = new WitnessTalk(socket, witnessTitle(record));
        await talk.ask("release", {}, TAKE_MS);
        talk.close();
        return true;
      } catch (error) {
        if (!isHansaError(error)) throw error;
        // Right after it was taken in it sends everybody away once.
        if (performance.now() > endMs) return false;
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      }
    }
  }
}

function boxProblems({ version, isTaken, problems }: WitnessFacts): string[] {
  const own = version === BUILD ? [] : [`it runs hansa ${version}, and the nodes ${BUILD}`];
  const taken = isTaken ? ["it is a witness already: hansa qdevice end on the box frees it"] : [];
  return [...own, ...taken, ...problems];
}

/** The box's certificate request, once both have shown that they know the code. */
async function proven(
  talk: WitnessTalk,
  typed: string,
  key: string,
  problems: string[],
): Promise<string | undefined> {
  const code = parseCode(typed);
  if (code === undefined) {
    problems.push("that is no code: hansa qdevice serve on the box shows it");
    return undefined;
  }
  let answer: Fields;
  try {
    answer = await talk.ask("prove", { proof: claimProof(code, "node", key) }, ASK_MS);
  } catch (error) {
    if (!isHansaError(error, "WITNESS_REFUSED")) throw error;
    problems.push(error.message);
    return undefined;
  }
  const { proof, request } = answer;
  if (isProof(proof, claimProof(code, "witness", key)) && isText(request, 8192)) return request;
  problems.push("what answers there does not know the code: it is not the box that shows it");
  return undefined;
}
