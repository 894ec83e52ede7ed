/**
 * Light checks of a daemon's answers, for the usual case that daemon and command line are one version: an answer from another version goes
 * through the schemas (schema-check.ts).
 */
import type { AddressCheck, Left, TakenOver } from "../api/address-schemas.ts";
import type { Certificates, Issued, Revoked } from "../api/context-schemas.ts";
import type { DoctorReport } from "../api/doctor-schema.ts";
import type { Inspection } from "../api/inspection-schema.ts";
import type { Joined, PlaceGiven } from "../api/join-schemas.ts";
import type { HostReport } from "../api/report-schema.ts";
import type { Status } from "../api/status-schema.ts";
import {
  type Check,
  has,
  isBoolean,
  isNodeRef,
  isNumber,
  isText,
  listOf,
  orNull,
} from "./shape.ts";

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
