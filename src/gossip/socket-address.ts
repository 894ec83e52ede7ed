/** Between our endpoints and what sockets say: an IPv6 socket shows and wants IPv4 addresses as ::ffff:a.b.c.d. */
import { isIPv4, isIPv6 } from "node:net";
import type { Endpoint } from "../values/endpoint.ts";

const MAPPED = "::ffff:";

/** The endpoint of a socket's address: IPv4 in its own spelling. */
export function endpointFrom(address: string | undefined, port: number | undefined): Endpoint {
  const ip = address ?? "";
  const isMapped = ip.startsWith(MAPPED) && ip.includes(".");
  return { ip: isMapped ? ip.slice(MAPPED.length) : ip, port: port ?? 0 };
}

/** The address that a socket of `family` sends to `ip` by; undefined when it cannot. */
export function addressFor(ip: string, family: "udp4" | "udp6"): string | undefined {
  if (isIPv4(ip)) return family === "udp4" ? ip : MAPPED + ip;
  return family === "udp6" && isIPv6(ip) ? ip : undefined;
}
