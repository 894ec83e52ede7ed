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
  isBoolean,
  isNodeRef,
  isNumber,
  isText,
  listOf,
  orNull,
  record,
} from "./shape.ts";

const isConnection = record({
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

const isPeerConnection = record({
  address: isText,
  direction: isText,
  state: isText,
  peer: orNull(isNodeRef),
});

const isPeer = record({
  id: isNumber,
  name: isText,
  address: isText,
  state: isText,
  version: orNull(isText),
  connections: listOf(isPeerConnection),
});

const isIpamEntry = record({
  id: isNumber,
  name: orNull(isText),
  addresses: isNumber,
  percent: isNumber,
  active: orNull(isNumber),
  reachable: isBoolean,
});

const isDnsEntry = record({
  hostname: isText,
  address: isText,
  containerId: orNull(isText),
  node: isNodeRef,
});

const isLink = record({
  link: isNumber,
  own: isText,
  peer: isNodeRef,
  address: isText,
  priority: isNumber,
  state: isText,
  rttMs: orNull(isNumber),
  inUse: isBoolean,
});

export const isStatus: Check<Status> = record({
  cluster: record({ name: isText, subnet: isText, encryption: isText }),
  node: record({
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
  ipam: record({
    subnet: isText,
    range: isText,
    ready: isBoolean,
    entries: listOf(isIpamEntry),
  }),
  dns: record({
    domain: isText,
    address: isText,
    ttl: isNumber,
    ready: isBoolean,
    entries: listOf(isDnsEntry),
  }),
  warnings: listOf(record({ code: isText, message: isText, hint: isText })),
});

/** Inspections are printed as they come, so only the part that tells the version is looked at. */
export const isInspection: Check<Inspection> = record({
  Version: isText,
  Router: record({}),
  Hansa: isStatus,
});

export const isDoctorReport: Check<DoctorReport> = record({
  node: orNull(isNodeRef),
  facts: listOf(record({ name: isText, value: isText })),
  checks: listOf(record({ name: isText, skipped: orNull(isText) })),
  findings: listOf(record({ code: isText, severity: isText, evidence: isText, mend: isText })),
});

export const isTargets: Check<{ readonly targets: string[] }> = record({ targets: listOf(isText) });

export const isPrimed: Check<{ readonly id: number }> = record({ id: isNumber });

export const isVersion: Check<{ readonly version: string; readonly revision: string }> = record({
  version: isText,
  revision: isText,
});

export const isLeft: Check<Left> = record({
  id: isNumber,
  heir: orNull(isNodeRef),
  handedOver: isNumber,
  lost: isNumber,
  problem: orNull(isText),
  hadPeers: isBoolean,
});

export const isIssued: Check<Issued> = record({
  ca: isText,
  certificate: isText,
  privateKey: isText,
  api: listOf(isText),
});

export const isJoined: Check<Joined> = record({
  id: isNumber,
  name: isText,
  cluster: isText,
  subnet: isText,
  encryption: isText,
  gossipPort: isNumber,
  targets: listOf(isText),
  sealed: record({ publicKey: isText, box: isText }),
});

const isKnownCertificate = record({
  serial: isText,
  name: orNull(isText),
  role: orNull(isText),
  madeAt: orNull(isText),
  madeBy: orNull(isText),
  node: orNull(isNumber),
  expiresAt: isText,
  revoked: orNull(record({ at: isText, by: isText })),
});

export const isCertificates: Check<Certificates> = record({
  certificates: listOf(isKnownCertificate),
  holdersRevoked: listOf(record({ name: isText, at: isText, by: isText })),
});

export const isRevoked: Check<Revoked> = record({
  revoked: listOf(isKnownCertificate),
  theirs: listOf(isKnownCertificate),
  unreached: listOf(isNodeRef),
});

export const isPlaceGiven: Check<PlaceGiven> = record({ id: isNumber, name: isText });

export const isTakenOver: Check<TakenOver> = record({
  id: isNumber,
  name: orNull(isText),
  addresses: isNumber,
  fixedAddresses: isNumber,
});

const isLease = record({
  address: isText,
  state: isText,
  reason: isText,
  container: orNull(record({ id: isText, name: isText })),
  since: orNull(isText),
  ageSeconds: orNull(isNumber),
  ringOwner: orNull(isNumber),
});

export const isAddressCheck: Check<AddressCheck> = record({
  node: isNodeRef,
  leases: listOf(isLease),
  freed: listOf(isText),
  holes: listOf(record({ first: isText, last: isText, addresses: isNumber })),
  unreachable: listOf(record({ id: isNumber, name: orNull(isText) })),
  conflicts: isNumber,
});

export const isHostReport: Check<HostReport> = record({
  files: listOf(record({ path: isText, text: isText })),
  missing: listOf(record({ path: isText, why: isText })),
});
