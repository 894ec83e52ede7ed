/**
 * The word of `join-info`: where and by which certificate a host joins, as JSON in base64, in the shape that Proxmox' administrators know. It holds no secret. Pure.
 *
 * Invariant: what `encodeJoinWord` makes `decodeJoinWord` reads, and whatever else it is given it refuses.
 */
import type { JoinInfo } from "../api/join-info-schemas.ts";
import { DEFAULT_API_PORT } from "../values/api-port.ts";
import { parseTarget, type Target } from "../values/endpoint.ts";

const MAX_TEXT = 65_536;
const FINGERPRINT = /^([0-9A-Fa-f]{2}:){31}[0-9A-Fa-f]{2}$/;

export interface JoinWord {
  /** The node that made the word, at its API's port. */
  readonly peer: Target;
  /** SHA-256 of its certificate, in hex with colons. */
  readonly fingerprint: string;
}

/** What the word holds. */
export function joinDocument(info: JoinInfo): object {
  const asked = info.nodes.find(({ id }) => id === info.nodeId);
  const links = asked?.links ?? [];
  return {
    ipAddress: asked?.address ?? "",
    port: asked?.ports.api ?? DEFAULT_API_PORT,
    fingerprint: info.fingerprint,
    peerLinks: Object.fromEntries(links.map(({ number, address }) => [`${number}`, address])),
    ring_addr: links.map(({ address }) => address),
    totem: {
      cluster_name: info.name,
      config_version: `${info.configVersion ?? ""}`,
      version: "2",
      secauth: "on",
      link_mode: "passive",
      interface: Object.fromEntries(
        links.map(({ number }) => [`${number}`, { linknumber: `${number}` }]),
      ),
    },
  };
}

export function encodeJoinWord(document: object): string {
  return Buffer.from(JSON.stringify(document)).toString("base64");
}

/** The document of a word; undefined for what is none. */
export function decodeJoinDocument(text: string): Record<string, unknown> | undefined {
  if (text.length > MAX_TEXT || !/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return undefined;
  try {
    const value: unknown = JSON.parse(Buffer.from(text, "base64").toString("utf8"));
    const isDocument = typeof value === "object" && value !== null && "fingerprint" in value;
    return isDocument ? (value as Record<string, unknown>) : undefined;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}

/** What a host needs of a word to join; undefined for what is none. */
export function decodeJoinWord(text: string): JoinWord | undefined {
  const { ipAddress, port = DEFAULT_API_PORT, fingerprint } = decodeJoinDocument(text) ?? {};
  if (typeof ipAddress !== "string" || typeof fingerprint !== "string") return undefined;
  const target = parseTarget(ipAddress);
  const isPort = typeof port === "number" && Number.isInteger(port) && port > 0 && port < 65_536;
  if (target?.port !== 0 || !isPort || !FINGERPRINT.test(fingerprint)) return undefined;
  return { peer: { host: target.host, port }, fingerprint };
}
