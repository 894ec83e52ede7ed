/** Who asks: named in the audit log, and held against the role that a route demands. */
import type { PeerCertificate } from "node:tls";
import { HansaError } from "../errors.ts";
import { includesRole, isRole, type Role } from "../values/role.ts";
import { decodeCaller } from "./caller-header.ts";
import { deedOf } from "./deeds.ts";

export interface Caller {
  /** The certificate's common name; "local" for the unix socket, which only root and the group hansa may open. */
  readonly name: string;
  readonly role: Role;
  /** The address that the connection came from; "unix" for the socket. */
  readonly from: string;
  /** The certificate's serial number, lower-case hex; undefined for the socket. */
  readonly serial: string | undefined;
  /** When the certificate ends, in milliseconds since 1970; absent for the socket, and for who is vouched for by a node, which looks after that itself. */
  readonly untilMs?: number;
  /** The node that passed the request on and vouches for the rest; absent when nobody did. */
  readonly via?: string;
}

export const LOCAL_CALLER: Caller = {
  name: "local",
  role: "admin",
  from: "unix",
  serial: undefined,
};

/**
 * Who asks through `connection` with this CALLER_HEADER: a node may ask for somebody else, and nobody else may. Undefined when a node names nobody
 * that it could ask for.
 */
export function callerThrough(connection: Caller, header: unknown): Caller | undefined {
  if (connection.role !== "node" || header === undefined) return connection;
  const told = typeof header === "string" ? decodeCaller(header) : undefined;
  return told && { ...told, via: connection.name };
}

/** The caller behind a certificate that was verified already; undefined for one without a role of ours, which may do nothing. */
export function callerOf(
  certificate: Pick<PeerCertificate, "subject" | "serialNumber" | "valid_to">,
  from: string,
): Caller | undefined {
  const { CN: name, OU: role } = certificate.subject ?? {};
  // Several of a kind come as a list: none of our certificates has that.
  if (typeof name !== "string" || typeof role !== "string" || !isRole(role)) return undefined;
  const untilMs = Date.parse(certificate.valid_to);
  return { name, role, from, serial: certificate.serialNumber.toLowerCase(), untilMs };
}

/** Whom the caller's places and questions are counted for: its certificate, or the node whose socket it used; a node for itself, whichever certificate it has. */
export function holderOf({ name, role, serial, via }: Caller): string {
  if (role === "node") return `node ${name}`;
  return serial ?? `${name} of ${via ?? "this node"}`;
}

/** The caller, who may do `what`, an operation or words of its own. Throws API_CERTIFICATE_REFUSED for nobody, and API_ROLE_MISSING. */
export function requireRole(caller: Caller | undefined, role: Role, what: string): Caller {
  if (caller === undefined) {
    throw new HansaError("API_CERTIFICATE_REFUSED", "the certificate carries no role of hansa");
  }
  if (includesRole(caller.role, role)) return caller;
  const text = `${deedOf(what)} needs the role ${role}, and ${caller.name} is ${caller.role}`;
  throw new HansaError("API_ROLE_MISSING", text);
}
