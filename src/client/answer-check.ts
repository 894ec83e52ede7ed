/**
 * Light checks of a daemon's answers, for the usual case that daemon and command line are one version.
 *
 * They look as deep as the tables read, without zod, whose import alone takes half of the time that `hansa status` may use.
 * An answer from another version goes through the schemas (schema-check.ts).
 */

import type { AddressCheck, Left, TakenOver } from "../api/address-schemas.ts";
import type { ContainerEvent, Containers } from "../api/container-schema.ts";
import type { Certificates, Issued, Revoked } from "../api/context-schemas.ts";
import type { DoctorReport } from "../api/doctor-schema.ts";
import type { Inspection } from "../api/inspection-schema.ts";
import type { Joined, PlaceGiven } from "../api/join-schemas.ts";
import type { HostReport } from "../api/report-schema.ts";
import type { Status } from "../api/status-schema.ts";
import type {
  ConfigEntries,
  ConfigEntry,
  ConfigEvent,
  ConfigHistory,
  ConfigWritten,
  CopiesInReach,
  CopyPart,
  OwnCopies,
  Refounded,
  StoreView,
  Voter,
} from "../api/store-schemas.ts";
import type { ContainerUsage, ProcessTable } from "../values/container-usage.ts";

/** A function that tells whether a decoded JSON value has a certain shape. */
export type Check<T> = (value: unknown) => value is T;

export const isText = (value: unknown): value is string => typeof value === "string";
export const isNumber = (value: unknown): value is number => typeof value === "number";
export const isBoolean = (value: unknown): value is boolean => typeof value === "boolean";
export const orNull =
  (check: (value: unknown) => boolean) =>
  (value: unknown): boolean =>
    value === null || check(value);

export function has(
  value: unknown,
  fields: Readonly<Record<string, (field: unknown) => boolean>>,
): boolean {
  if (typeof value !== "object" || value === null) return false;
  const record = value as Record<string, unknown>;
  return Object.entries(fields).every(([name, check]) => check(record[name]));
}

export const listOf =
  (check: (item: unknown) => boolean) =>
  (value: unknown): boolean =>
    Array.isArray(value) && value.every(check);

const isNodeRef = (value: unknown): boolean => has(value, { id: isNumber, name: isText });

const isConnection = (value: unknown): boolean =>
  has(value, {
    address: isText,
    direction: isText,
    state: isText,
    encrypted: isBoolean,
    backend: orNull(isText),
    via: orNull(isNodeRef),
    peer: orNull(isNodeRef),
    rttMs: orNull(isNumber),
    mtu: orNull(isNumber),
    error: orNull(isText),
    retryAt: orNull(isText),
  });

const isPeerConnection = (value: unknown): boolean =>
  has(value, { address: isText, direction: isText, state: isText, peer: orNull(isNodeRef) });

const isPeer = (value: unknown): boolean =>
  has(value, {
    id: isNumber,
    name: isText,
    address: isText,
    state: isText,
    version: orNull(isText),
    connections: listOf(isPeerConnection),
  });

const isIpamEntry = (value: unknown): boolean =>
  has(value, {
    id: isNumber,
    name: orNull(isText),
    addresses: isNumber,
    percent: isNumber,
    active: orNull(isNumber),
    reachable: isBoolean,
  });

const isDnsEntry = (value: unknown): boolean =>
  has(value, {
    hostname: isText,
    address: isText,
    containerId: orNull(isText),
    node: isNodeRef,
  });

const isLink = (value: unknown): boolean =>
  has(value, {
    link: isNumber,
    own: isText,
    peer: isNodeRef,
    address: isText,
    priority: isNumber,
    state: isText,
    rttMs: orNull(isNumber),
    inUse: isBoolean,
  });

export const isStatus: Check<Status> = (value): value is Status =>
  has(value, {
    cluster: (cluster) => has(cluster, { name: isText, subnet: isText, encryption: isText }),
    node: (node) =>
      has(node, {
        id: isNumber,
        name: isText,
        engineId: orNull(isText),
        address: orNull(isText),
        version: isText,
      }),
    targets: listOf(isText),
    peers: listOf(isPeer),
    connections: listOf(isConnection),
    links: listOf(isLink),
    ipam: (ipam) =>
      has(ipam, {
        subnet: isText,
        range: isText,
        ready: isBoolean,
        entries: listOf(isIpamEntry),
      }),
    dns: (dns) =>
      has(dns, {
        domain: isText,
        address: isText,
        ttl: isNumber,
        ready: isBoolean,
        entries: listOf(isDnsEntry),
      }),
    warnings: listOf((warning) => has(warning, { code: isText, message: isText, hint: isText })),
  });

/** Inspections are printed as they come, so only the part that tells the version is looked at. */
export const isInspection: Check<Inspection> = (value): value is Inspection =>
  has(value, { Version: isText, Router: (part) => has(part, {}), Hansa: isStatus });

export const isDoctorReport: Check<DoctorReport> = (value): value is DoctorReport =>
  has(value, {
    node: orNull(isNodeRef),
    facts: listOf((fact) => has(fact, { name: isText, value: isText })),
    checks: listOf((check) => has(check, { name: isText, skipped: orNull(isText) })),
    findings: listOf((finding) =>
      has(finding, { code: isText, severity: isText, evidence: isText, mend: isText }),
    ),
  });

export const isTargets: Check<{ readonly targets: string[] }> = (
  value,
): value is { readonly targets: string[] } => has(value, { targets: listOf(isText) });

export const isPrimed: Check<{ readonly id: number }> = (value): value is { readonly id: number } =>
  has(value, { id: isNumber });

export const isVersion: Check<{ readonly version: string; readonly revision: string }> = (
  value,
): value is { readonly version: string; readonly revision: string } =>
  has(value, { version: isText, revision: isText });

export const isLeft: Check<Left> = (value): value is Left =>
  has(value, {
    id: isNumber,
    heir: orNull(isNodeRef),
    handedOver: isNumber,
    lost: isNumber,
    problem: orNull(isText),
    hadPeers: isBoolean,
  });

export const isIssued: Check<Issued> = (value): value is Issued =>
  has(value, { ca: isText, certificate: isText, privateKey: isText, api: listOf(isText) });

export const isJoined: Check<Joined> = (value): value is Joined =>
  has(value, {
    id: isNumber,
    name: isText,
    cluster: isText,
    subnet: isText,
    encryption: isText,
    gossipPort: isNumber,
    targets: listOf(isText),
    sealed: (sealed) => has(sealed, { publicKey: isText, box: isText }),
  });

const isKnownCertificate = (value: unknown): boolean =>
  has(value, {
    serial: isText,
    name: orNull(isText),
    role: orNull(isText),
    madeAt: orNull(isText),
    madeBy: orNull(isText),
    node: orNull(isNumber),
    expiresAt: isText,
    revoked: orNull((revoked) => has(revoked, { at: isText, by: isText })),
  });

export const isCertificates: Check<Certificates> = (value): value is Certificates =>
  has(value, {
    certificates: listOf(isKnownCertificate),
    holdersRevoked: listOf((each) => has(each, { name: isText, at: isText, by: isText })),
  });

export const isRevoked: Check<Revoked> = (value): value is Revoked =>
  has(value, {
    revoked: listOf(isKnownCertificate),
    theirs: listOf(isKnownCertificate),
    unreached: listOf(isNodeRef),
  });

export const isPlaceGiven: Check<PlaceGiven> = (value): value is PlaceGiven =>
  has(value, { id: isNumber, name: isText });

export const isTakenOver: Check<TakenOver> = (value): value is TakenOver =>
  has(value, { id: isNumber, name: orNull(isText), addresses: isNumber, fixedAddresses: isNumber });

const isLease = (value: unknown): boolean =>
  has(value, {
    address: isText,
    state: isText,
    reason: isText,
    container: orNull((container) => has(container, { id: isText, name: isText })),
    since: orNull(isText),
    ageSeconds: orNull(isNumber),
    ringOwner: orNull(isNumber),
  });

export const isAddressCheck: Check<AddressCheck> = (value): value is AddressCheck =>
  has(value, {
    node: isNodeRef,
    leases: listOf(isLease),
    freed: listOf(isText),
    holes: listOf((hole) => has(hole, { first: isText, last: isText, addresses: isNumber })),
    unreachable: listOf((owner) => has(owner, { id: isNumber, name: orNull(isText) })),
    conflicts: isNumber,
  });

const isContainerRow = (value: unknown): boolean =>
  has(value, {
    node: isNodeRef,
    id: orNull(isText),
    group: orNull(isText),
    name: isText,
    dockerName: isText,
    image: isText,
    addresses: listOf(isText),
    ports: listOf((port) =>
      has(port, {
        port: isNumber,
        protocol: isText,
        hostPort: orNull(isNumber),
        hostAddress: orNull(isText),
      }),
    ),
    dependsOn: listOf(isText),
    imageState: (image) =>
      has(image, { state: isText, percent: orNull(isNumber), error: orNull(isText) }),
    engine: isText,
    engineState: orNull(isText),
    state: isText,
    stateSince: orNull(isText),
    exitCode: orNull(isNumber),
    error: orNull(isText),
  });

const isContainerNode = (value: unknown): boolean =>
  has(value, {
    id: isNumber,
    name: isText,
    reachable: isBoolean,
    asOf: orNull(isText),
    problem: orNull((problem) => has(problem, { code: isText, message: isText })),
  });

export const isContainers: Check<Containers> = (value): value is Containers =>
  has(value, { nodes: listOf(isContainerNode), containers: listOf(isContainerRow) });

const EVENTS: Readonly<Record<string, (value: unknown) => boolean>> = {
  all: isContainers,
  container: (value) => has(value, { container: isContainerRow }),
  gone: (value) => has(value, { node: isNumber, id: isText }),
  node: (value) => has(value, { node: isContainerNode }),
  "node-gone": (value) => has(value, { node: isNumber }),
};

export const isContainerEvent: Check<ContainerEvent> = (value): value is ContainerEvent => {
  const type = (value as { readonly type?: unknown } | null | undefined)?.type;
  return isText(type) && Object.hasOwn(EVENTS, type) && EVENTS[type]?.(value) === true;
};

/** The table's code, sentence and hint of a failed request. */
export const isFailure: Check<{
  readonly error: { readonly code: string; readonly message: string; readonly hint: string };
}> = (
  value,
): value is {
  readonly error: { readonly code: string; readonly message: string; readonly hint: string };
} => has(value, { error: (error) => has(error, { code: isText, message: isText, hint: isText }) });

export const isHostReport = (value: unknown): value is HostReport =>
  has(value, {
    files: listOf((file) => has(file, { path: isText, text: isText })),
    missing: listOf((file) => has(file, { path: isText, why: isText })),
  });

export const isProcessTable = (value: unknown): value is ProcessTable =>
  has(value, { titles: listOf(isText), processes: listOf(listOf(isText)) });

export const isContainerUsage = (value: unknown): value is ContainerUsage =>
  has(value, {
    readAt: isText,
    cpuPercent: isNumber,
    memory: isNumber,
    memoryLimit: isNumber,
    received: isNumber,
    sent: isNumber,
    blockRead: isNumber,
    blockWritten: isNumber,
    processes: isNumber,
  });

/** What is at a path of a container; null for nothing. */
export interface FoundPath {
  /** As Go's os.FileMode. */
  readonly mode: number;
  /** Where a symbolic link leads; empty otherwise. */
  readonly linkTarget: string;
}

export const isFoundPath = (value: unknown): value is FoundPath | null =>
  value === null || has(value, { mode: isNumber, linkTarget: isText });

export const isStoreView: Check<StoreView> = (value): value is StoreView =>
  has(value, {
    ...{ name: isText, id: isText, generation: isNumber, configVersion: orNull(isNumber) },
    ...{ quorate: isBoolean, leader: orNull(isNodeRef) },
    ...{ term: isNumber, bytes: orNull(isNumber), stale: isBoolean },
    copy: orNull((copy) => has(copy, { revision: isText, ageMs: isNumber })),
    wanted: listOf(isNumber),
    votes: (votes) => has(votes, { expected: isNumber, answering: isNumber, needed: isNumber }),
    voters: listOf((voter) =>
      has(voter, {
        ...{ id: isNumber, name: isText, address: isText },
        ...{ hasVote: isBoolean, state: isText, isLocal: isBoolean },
      }),
    ),
  });

export const isVoter: Check<Voter> = (value): value is Voter =>
  has(value, {
    ...{ member: isHex, leader: orNull(isHex), isLearner: isBoolean },
    applied: (applied) => isText(applied) && /^\d{1,20}$/.test(applied),
    ...{ bytes: isNumber, inUse: isNumber },
  });

const isCopy = (value: unknown): boolean =>
  has(value, {
    ...{ source: (source) => source === "voter" || source === "mirror", store: isNamedStore },
    revision: (revision) => isText(revision) && /^\d{1,19}$/.test(revision),
    ...{ takenAtMs: isNumber, entries: isNumber, voters: listOf(isText) },
    hasGrown: isBoolean,
  });

const isNamedStore = (value: unknown): boolean =>
  has(value, { id: isText, name: isText, generation: isNumber });

export const isOwnCopies: Check<OwnCopies> = (value): value is OwnCopies =>
  has(value, { copies: listOf(isCopy), isQuorate: isBoolean, isBroken: isBoolean });

export const isCopyPart: Check<CopyPart> = (value): value is CopyPart =>
  has(value, { sum: isText, length: isNumber, data: isText, source: isText, takenAtMs: isNumber });

export const isCopiesInReach: Check<CopiesInReach> = (value): value is CopiesInReach =>
  has(value, {
    copies: listOf((copy) => isCopy(copy) && has(copy, { node: isNodeRef, isChosen: isBoolean })),
    silent: listOf(isText),
    refused: orNull((refused) => has(refused, { code: isText, message: isText })),
  });

export const isRefounded: Check<Refounded> = (value): value is Refounded =>
  has(value, {
    ...{ store: isNamedStore, from: orNull(isNodeRef), revision: isText },
    ...{ takenAtMs: isNumber, entries: isNumber },
  });

const isHex = (value: unknown): boolean => isText(value) && /^[0-9a-f]{1,16}$/.test(value);

const isEntry = (value: unknown): boolean =>
  has(value, { key: isText, value: isText, encoding: isText, revision: isText });

const FRESHNESS = { stale: isBoolean, ageMs: orNull(isNumber), reason: orNull(isText) };

export const isConfigEntry: Check<ConfigEntry> = (value): value is ConfigEntry =>
  has(value, { entry: orNull(isEntry), ...FRESHNESS });

export const isConfigEntries: Check<ConfigEntries> = (value): value is ConfigEntries =>
  has(value, { entries: listOf(isEntry), ...FRESHNESS });

const isConfigChange = (value: unknown): boolean =>
  has(value, { type: isText, key: isText, revision: isText }) &&
  ((value as { readonly type: string }).type === "remove" || isEntry(value));

export const isConfigEvent: Check<ConfigEvent> = (value): value is ConfigEvent =>
  has(value, {
    ...{ revision: isText, missed: isBoolean, waitsFor: orNull(isText) },
    changes: listOf(isConfigChange),
  });

export const isConfigHistory: Check<ConfigHistory> = (value): value is ConfigHistory =>
  has(value, {
    whole: isBoolean,
    changes: listOf(
      (change) => isConfigChange(change) && has(change, { seenAtMs: orNull(isNumber) }),
    ),
  });

export const isConfigWritten: Check<ConfigWritten> = (value): value is ConfigWritten =>
  has(value, { written: isBoolean, revision: isText });
