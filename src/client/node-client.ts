/**
 * The typed client of a node's API, through its unix socket or from another machine. The command line talks to nodes through nothing else.
 *
 * Invariant: an answer of another shape than its schema never reaches the caller; every failure is a HansaError.
 */

import type { AddressCheck, Left, TakenOver } from "../api/address-schemas.ts";
import { ContainerBoard } from "../api/container-board.ts";
import type { Containers } from "../api/container-schema.ts";
import type {
  Certificates,
  Issued,
  IssueRequest,
  Revoked,
  RevokeRequest,
} from "../api/context-schemas.ts";
import type { DoctorReport } from "../api/doctor-schema.ts";
import type { Inspection } from "../api/inspection-schema.ts";
import type { JoinCheck, JoinChecked, JoinInfo } from "../api/join-info-schemas.ts";
import type { Joined, JoinRequest } from "../api/join-schemas.ts";
import { nodePath } from "../api/node-path.ts";
import type { QuorumView } from "../api/quorum-schemas.ts";
import type { NodeRemoved } from "../api/remove-schemas.ts";
import type { HostReport } from "../api/report-schema.ts";
import type { Status } from "../api/status-schema.ts";
import type {
  ConfigEntries,
  ConfigEntry,
  ConfigEvent,
  ConfigHistory,
  ConfigPut,
  ConfigWritten,
  CopiesInReach,
  CopyPart,
  CopyPartRequest,
  GiveVote,
  Refounded,
  StoreView,
} from "../api/store-schemas.ts";
import { BUILD, type Version } from "../api/version.ts";
import type { RemovedWitness, SetupWitness } from "../api/witness-schemas.ts";
import { HansaError, isErrno } from "../errors.ts";
import type { ClientStream } from "./client-stream.ts";
import { type Door, unixDoor } from "./door.ts";
import { events, type Place } from "./events.ts";
import { type Exchange, exchange } from "./exchange.ts";
import { errorOf, isFailure } from "./failure.ts";
import { openStream, type StreamOpening } from "./open-stream.ts";
import { type RawResponse, ResponseSyntaxError } from "./parse-response.ts";
import { type ResumeOptions, resumedEvents } from "./resumed-events.ts";
import type { Check } from "./shape.ts";

export const DEFAULT_SOCKET = "/run/hansa/hansa.sock";

export interface NodeClient {
  /** The client of another node (id or name) of the same cluster, through the same door. */
  of(node: string): NodeClient;
  status(): Promise<Status>;
  /** The status now and after each change; ends without an error when `signal` aborts, else with NODE_NOT_RUNNING when the daemon does. */
  watchStatus(signal: AbortSignal, resume?: Resume): AsyncIterable<Status>;
  connect(targets: readonly string[], replace: boolean): Promise<{ readonly targets: string[] }>;
  forget(targets: readonly string[]): Promise<{ readonly targets: string[] }>;
  /** Waits without limit. */
  prime(signal?: AbortSignal): Promise<{ readonly id: number }>;
  /** Waits without limit: others may have to be waited for. */
  leave(force: boolean): Promise<Left>;
  takeOver(node: string, confirmed: boolean): Promise<TakenOver>;
  checkAddresses(repair: boolean): Promise<AddressCheck>;
  issueCertificate(request: IssueRequest): Promise<Issued>;
  join(request: JoinRequest): Promise<Joined>;
  certificates(): Promise<Certificates>;
  revokeCertificates(request: RevokeRequest): Promise<Revoked>;
  /** Containers of all nodes. */
  containers(): Promise<Containers>;
  /** The same now and after each change; ends as `watchStatus` does. */
  watchContainers(signal: AbortSignal, resume?: Resume): AsyncIterable<Containers>;
  inspect(): Promise<Inspection>;
  store(): Promise<StoreView>;
  /** Up to half a minute; so is the next. */
  setupWitness(request: SetupWitness): Promise<StoreView>;
  removeWitness(force: boolean): Promise<RemovedWitness>;
  quorum(): Promise<QuorumView>;
  joinInfo(): Promise<JoinInfo>;
  /** Takes up to 4 s. */
  checkJoiner(request: JoinCheck): Promise<JoinChecked>;
  /** Waits without limit: the node may have to hand over much. */
  removeNode(node: string, confirmed: boolean): Promise<NodeRemoved>;
  createStore(name: string): Promise<StoreView>;
  vote(request: GiveVote): Promise<StoreView>;
  copiesInReach(votes: number): Promise<CopiesInReach>;
  copyPart(request: CopyPartRequest): Promise<CopyPart>;
  /** Takes seconds. */
  expectVotes(votes: number): Promise<Refounded>;
  restore(force: boolean): Promise<Refounded>;
  /** `consistent`: refused where it could only be read from the node's copy. */
  configGet(key: string, consistent?: boolean): Promise<ConfigEntry>;
  configList(prefix: string, consistent?: boolean): Promise<ConfigEntries>;
  configHistory(key: string): Promise<ConfigHistory>;
  /** Changes from now on, also those that come while the connection is lost; ends as `watchStatus` does. */
  watchConfig(prefix: string, signal: AbortSignal, resume?: Resume): AsyncIterable<ConfigEvent>;
  configPut(request: ConfigPut): Promise<ConfigWritten>;
  configRemove(key: string): Promise<ConfigWritten>;
  /** Takes up to 10 s. */
  doctor(): Promise<DoctorReport>;
  /** Takes up to 15 s. */
  report(): Promise<HostReport>;
  version(): Promise<Version>;
  /** A stream into a container, once the node agreed (docs/internals/streams.md). */
  stream(opening: Omit<StreamOpening, "door" | "refused">): Promise<ClientStream>;
}

/** Given to a watch it goes on by itself where a connection breaks, by the next node of a context, until its signal aborts (see `resumedEvents`). */
export type Resume = Pick<ResumeOptions<unknown>, "paused" | "resumed" | "missed">;

/** Everything that is not long answers from memory or after one write to disk. */
const TIMEOUT_MS = 30_000;

/** Loaded with the first answer that they are for: of all shapes a command needs one. */
const nodeChecks = () => import("./answer-check.ts");
const clusterChecks = () => import("./cluster-check.ts");
const containerChecks = () => import("./container-check.ts");
const storeChecks = () => import("./store-check.ts");

/** What a check of a shape lets through. */
type Checked<C> = C extends (value: unknown) => value is infer T ? T : never;

/** What is asked beside a path. */
interface Asked {
  /** Default: GET without a body, POST with one. */
  readonly method?: Exchange["method"];
  readonly body?: unknown;
  /** Waited for without limit. */
  readonly isLong?: boolean;
  readonly signal?: AbortSignal;
}

/**
 * The client of the daemon that serves `socketPath`. Nothing is opened before the first call.
 *
 * Calls throw NODE_NOT_RUNNING when nobody serves the socket, ROOT_REQUIRED when we may not use it, API_ANSWER_INVALID, and
 * whatever code the daemon answers with.
 */
export function nodeClient(socketPath: string): NodeClient {
  return apiClient(unixDoor(socketPath));
}

/** The client of the node behind `door`, or of `node` (id or name) of its cluster, which that one asks for us; throws what the door's failures are called, API_ANSWER_INVALID, and whatever code the node answers with. */
export function apiClient(door: Door, node?: string): NodeClient {
  const placed = (path: string): string => (node === undefined ? path : nodePath(node, path));
  const call = async (path: string, asked: Asked = {}): Promise<unknown> => {
    const { body, isLong = false, signal, method = body === undefined ? "GET" : "POST" } = asked;
    const limits = { ...(signal && { signal }), ...(!isLong && { timeoutMs: TIMEOUT_MS }) };
    const sent = body === undefined ? {} : { body };
    try {
      const response = await exchange({ door, method, path: placed(path), ...sent, ...limits });
      const answer: unknown = JSON.parse(response.body);
      if (response.status === 200) return answer;
      throw failureOf(answer, response.status, door);
    } catch (error) {
      throw inOurWords(error, door, node);
    }
  };
  const ask = async <Checks, Name extends keyof Checks>(
    what: string,
    checks: () => Promise<Checks>,
    name: Name,
    path: string,
    asked?: Asked,
  ): Promise<Checked<Checks[Name]>> => {
    const answering = call(path, asked);
    // Once the question is on its way.
    const loading = new Promise((resolve) => setImmediate(resolve)).then(checks);
    const [answer, loaded] = await Promise.all([answering, loading]);
    return checked(answer, loaded[name] as Check<Checked<Checks[Name]>>, what);
  };
  const asStatus = async (answer: unknown): Promise<Status> => {
    const { isStatus } = await nodeChecks();
    if (isStatus(answer) && answer.node.version === BUILD) return answer;
    const { checkStatus } = await import("./schema-check.ts");
    return checkStatus(answer);
  };
  /** Events until `signal` aborts; an end of theirs is NODE_NOT_RUNNING. */
  const watchOnce = async function* (path: string, signal: AbortSignal, place: Place) {
    const refused = ({ body, status }: RawResponse): HansaError =>
      failureOf(JSON.parse(body), status, door);
    try {
      yield* events(door, placed(path), signal, refused, place);
    } catch (error) {
      throw inOurWords(error, door, node);
    }
    if (!signal.aborted) throw new HansaError("NODE_NOT_RUNNING", "hansa stopped");
  };
  const watch = (
    path: string,
    signal: AbortSignal,
    resume: Resume | undefined,
  ): AsyncIterable<unknown> => {
    const open = (place: Place) => watchOnce(path, signal, place);
    return resume === undefined ? open({}) : resumedEvents({ ...resume, open, signal });
  };
  return {
    of: (other) => apiClient(door, other),
    status: async () => asStatus(await call("/v1/status")),
    watchStatus: async function* (signal, resume) {
      for await (const answer of watch("/v1/status/watch", signal, resume)) {
        yield await asStatus(answer);
      }
    },
    containers: () => ask("containers", containerChecks, "isContainers", "/v1/containers"),
    watchContainers: async function* (signal, resume) {
      const { isContainerEvent } = await containerChecks();
      const board = new ContainerBoard();
      for await (const event of watch("/v1/containers/watch", signal, resume)) {
        board.take(checked(event, isContainerEvent, "containers"));
        yield board.list();
      }
    },
    inspect: async () => {
      const answer = await call("/v1/inspect");
      const { isInspection } = await nodeChecks();
      if (isInspection(answer) && answer.Version === BUILD) return answer;
      const { checkInspection } = await import("./schema-check.ts");
      return checkInspection(answer);
    },
    store: () => ask("the store", storeChecks, "isStoreView", "/v1/store"),
    quorum: () => ask("the quorum", clusterChecks, "isQuorumView", "/v1/quorum"),
    joinInfo: () => ask("the cluster", clusterChecks, "isJoinInfo", "/v1/join/info"),
    checkJoiner: (body) =>
      ask("the check", clusterChecks, "isJoinChecked", "/v1/join/check", { body }),
    removeNode: (name, confirmed) => {
      const body = { node: name, confirmed };
      return ask("the removal", clusterChecks, "isNodeRemoved", "/v1/cluster/remove", {
        body,
        isLong: true,
      });
    },
    createStore: (name) =>
      ask("the store", storeChecks, "isStoreView", "/v1/store", { body: { name } }),
    vote: (body) => ask("the store", storeChecks, "isStoreView", "/v1/store/vote", { body }),
    copiesInReach: (votes) => {
      const asked = { body: { votes } };
      return ask("copies of the store", storeChecks, "isCopiesInReach", "/v1/store/copies", asked);
    },
    copyPart: (body) =>
      ask("a copy of the store", storeChecks, "isCopyPart", "/v1/store/copies/part", { body }),
    expectVotes: (votes) => {
      return ask("the store", storeChecks, "isRefounded", "/v1/store/expected", {
        body: { votes },
        isLong: true,
      });
    },
    setupWitness: (body) =>
      ask("the store", storeChecks, "isStoreView", "/v1/store/witness", { body, isLong: true }),
    removeWitness: (force) => {
      const asked = { body: { force }, isLong: true };
      return ask(
        "the witness",
        clusterChecks,
        "isRemovedWitness",
        "/v1/store/witness/remove",
        asked,
      );
    },
    restore: (force) => {
      return ask("the store", storeChecks, "isRefounded", "/v1/store/restore", {
        body: { force },
        isLong: true,
      });
    },
    configGet: (key, consistent = false) => {
      const asked = { body: { key, consistent } };
      return ask("the configuration", storeChecks, "isConfigEntry", "/v1/config/get", asked);
    },
    configList: (prefix, consistent = false) => {
      const asked = { body: { prefix, consistent } };
      return ask("the configuration", storeChecks, "isConfigEntries", "/v1/config/list", asked);
    },
    configHistory: (key) => {
      return ask("the configuration", storeChecks, "isConfigHistory", "/v1/config/history", {
        body: { key },
      });
    },
    watchConfig: async function* (prefix, signal, resume) {
      const { isConfigEvent } = await storeChecks();
      const path = `/v1/config/watch?prefix=${encodeURIComponent(prefix)}`;
      for await (const event of watch(path, signal, resume)) {
        yield checked(event, isConfigEvent, "the configuration");
      }
    },
    configPut: (body) =>
      ask("the configuration", storeChecks, "isConfigWritten", "/v1/config/put", { body }),
    configRemove: (key) => {
      return ask("the configuration", storeChecks, "isConfigWritten", "/v1/config/remove", {
        body: { key },
      });
    },
    doctor: () => ask("doctor", nodeChecks, "isDoctorReport", "/v1/doctor"),
    report: () => ask("its host", nodeChecks, "isHostReport", "/v1/report"),
    version: () => ask("version", nodeChecks, "isVersion", "/v1/version"),
    connect: (targets, replace) => {
      return ask("targets", nodeChecks, "isTargets", "/v1/targets", { body: { targets, replace } });
    },
    forget: (targets) => {
      return ask("targets", nodeChecks, "isTargets", "/v1/targets", {
        method: "DELETE",
        body: { targets },
      });
    },
    prime: (signal) =>
      ask("prime", nodeChecks, "isPrimed", "/v1/prime", {
        ...(signal && { signal }),
        isLong: true,
      }),
    issueCertificate: (body) =>
      ask("a certificate", nodeChecks, "isIssued", "/v1/certificates", { body }),
    join: (body) => ask("a join", nodeChecks, "isJoined", "/v1/join", { body }),
    certificates: () => ask("certificates", nodeChecks, "isCertificates", "/v1/certificates"),
    revokeCertificates: (body) => {
      return ask("a revocation", nodeChecks, "isRevoked", "/v1/certificates/revoke", { body });
    },
    leave: (force) =>
      ask("leaving", nodeChecks, "isLeft", "/v1/leave", { body: { force }, isLong: true }),
    takeOver: (name, confirmed) => {
      const body = { node: name, confirmed };
      return ask("a take-over", nodeChecks, "isTakenOver", "/v1/ipam/take-over", { body });
    },
    stream: async (opening) => {
      const refused = ({ body, status }: RawResponse): HansaError =>
        failureOf(JSON.parse(body), status, door);
      try {
        return await openStream({ ...opening, path: placed(opening.path), door, refused });
      } catch (error) {
        throw inOurWords(error, door, node);
      }
    },
    checkAddresses: (repair) => {
      const [path, method] = repair
        ? (["/v1/ipam/repair", "POST"] as const)
        : (["/v1/ipam/check", "GET"] as const);
      return ask("addresses", nodeChecks, "isAddressCheck", path, { method });
    },
  };
}

function checked<T>(answer: unknown, check: Check<T>, what: string): T {
  if (check(answer)) return answer;
  throw new HansaError("API_ANSWER_INVALID", `the daemon's answer about ${what} is malformed`);
}

function failureOf(answer: unknown, status: number, { place }: Door): HansaError {
  if (!isFailure(answer)) {
    return new HansaError(
      "API_ANSWER_INVALID",
      `${place} answered with status ${status} and no error of hansa`,
    );
  }
  return errorOf(answer.error);
}

function inOurWords(error: unknown, door: Door, node: string | undefined): unknown {
  const isCut = error instanceof ResponseSyntaxError && error.message.includes("cut short");
  if (isCut && node !== undefined) {
    const text = `the answer of node ${node} was cut short`;
    return new HansaError("NODE_UNREACHABLE", text, { cause: error });
  }
  if (isErrno(error, "ECONNRESET") || isErrno(error, "EPIPE")) {
    return new HansaError("NODE_NOT_RUNNING", "hansa stopped before it answered", { cause: error });
  }
  if (isErrno(error, "ETIMEDOUT")) {
    return new HansaError(
      "NODE_NOT_RUNNING",
      `hansa did not answer within ${TIMEOUT_MS / 1000} s`,
      { hint: "see the daemon's log in /var/lib/hansa/log", cause: error },
    );
  }
  if (isCut) {
    return new HansaError("NODE_NOT_RUNNING", "hansa stopped before it answered", { cause: error });
  }
  if (error instanceof ResponseSyntaxError || error instanceof SyntaxError) {
    return new HansaError("API_ANSWER_INVALID", `what ${door.place} answered is no API of hansa`, {
      cause: error,
    });
  }
  return door.inOurWords(error);
}
