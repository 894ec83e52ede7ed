/** Transport addresses, and the `HOST[:PORT]` targets that users type. */

/** A resolved transport address: an IPv4 or IPv6 literal and a port 1 to 65535. */
export interface Endpoint {
  readonly ip: string;
  readonly port: number;
}

/** A target as a user gave it: a host name or address literal; `port` 0 stands for the default port. */
export interface Target {
  readonly host: string;
  readonly port: number;
}

const LABEL = /^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/;

/** "1.2.3.4:6783", "[fe80::1]:6783". */
export function formatEndpoint(endpoint: Endpoint): string {
  return endpoint.ip.includes(":")
    ? `[${endpoint.ip}]:${endpoint.port}`
    : `${endpoint.ip}:${endpoint.port}`;
}

/**
 * The target that `text` spells: `host`, `host:port`, `1.2.3.4`, `1.2.3.4:port`, `[v6]`, `[v6]:port`, or a bare
 * IPv6 literal. Undefined when the syntax is bad; names are not resolved here.
 */
export function parseTarget(text: string): Target | undefined {
  const bracketed = /^\[([0-9A-Fa-f:.]+)\](?::(\d{1,5}))?$/.exec(text);
  if (bracketed) return withPort(bracketed[1] ?? "", bracketed[2]);
  if ((text.match(/:/g) ?? []).length > 1) {
    return /^[0-9A-Fa-f:.]+$/.test(text) ? { host: text, port: 0 } : undefined;
  }
  const [host = "", port] = text.split(":");
  if (host.length === 0 || host.length > 253) return undefined;
  const labels = host.replace(/\.$/, "").split(".");
  if (!labels.every((label) => LABEL.test(label))) return undefined;
  if (/^\d+$/.test(labels.at(-1) ?? "") && !/^(\d{1,3}\.){3}\d{1,3}$/.test(host)) return undefined;
  if (
    /^(\d{1,3}\.){3}\d{1,3}$/.test(host) &&
    host.split(".").some((octet) => Number(octet) > 255)
  ) {
    return undefined;
  }
  return withPort(host, port);
}

function withPort(host: string, port: string | undefined): Target | undefined {
  if (port === undefined) return { host, port: 0 };
  if (!/^[1-9]\d{0,4}$/.test(port) || Number(port) > 65535) return undefined;
  return { host, port: Number(port) };
}
