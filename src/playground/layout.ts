/**
 * Where everything of a playground lies and what it is called: pure functions of its name and numbers.
 *
 * Invariant: each thing outside the playground's own folder (namespace, control group) starts with its name, so that all of
 * it can be found again without any record. Two playgrounds of different names share nothing, though their addresses are equal:
 * each has a switch in a network namespace of its own.
 */
import { HansaError } from "../errors.ts";

/** All playgrounds of this machine: a folder each. */
export const ROOT_DIR = "/var/lib/hansa-playground";
/** What may be kept between playgrounds, such as the image's tar. */
export const CACHE_DIR = "/var/cache/hansa-playground";
/** Where iproute2 keeps named network namespaces. */
export const NETNS_DIR = "/run/netns";
/** Parent of the control groups of all playgrounds, in every hierarchy. */
export const CGROUP_PARENT = "hansa-playground";

export const DEFAULT_NAME = "hpg";
export const MAX_HOSTS = 20;
export const MAX_LINKS = 8;

const NAME = /^[a-z][a-z0-9]{0,7}$/;

/** Throws USAGE unless `name` is 1–8 of a–z and 0–9, beginning with a letter: it becomes part of interface names (15 bytes). */
export function checkName(name: string): void {
  if (!NAME.test(name)) {
    throw new HansaError("USAGE", `${JSON.stringify(name)} cannot name a playground`, {
      hint: "a name has 1 to 8 letters a-z and digits and begins with a letter",
    });
  }
}

/** The playground's folder: state file, scripts, one folder a host. */
export function playgroundDir(name: string): string {
  return `${ROOT_DIR}/${name}`;
}

/** The disk of host `i`; survives kill and boot, goes with down. */
export function hostDir(name: string, i: number): string {
  return `${playgroundDir(name)}/host${i}`;
}

/** The network namespace that holds the bridges and the root side of every link. */
export function switchNetns(name: string): string {
  return `${name}-switch`;
}

export function hostNetns(name: string, i: number): string {
  return `${name}-host${i}`;
}

/** The bridge of link `link` (from 0). */
export function bridgeName(name: string, link: number): string {
  return `${name}-br${link}`;
}

/** The switch's end of a host's link: what `cut` sets down. */
export function portName(name: string, i: number, link: number): string {
  return `${name}-h${i}-l${link}`;
}

/** The host's end of its link. */
export function interfaceName(link: number): string {
  return `eth${link}`;
}

/** Host `i`'s address on `link`: 192.168.(48+link).(10+i). */
export function addressOf(i: number, link: number): string {
  return `192.168.${48 + link}.${10 + i}`;
}

/** An address that no host has, on the first link: it stands for the world outside. */
export const OUTSIDE_ADDRESS = "192.168.48.1";

/** Locally administered, stable, and different for each (host, link). */
export function macOf(i: number, link: number): string {
  const hex = (byte: number): string => byte.toString(16).padStart(2, "0");
  return `02:48:50:47:${hex(link)}:${hex(i)}`;
}

/** `host3` on the first link, `host3-b` on the second, `host3-c` on the third. */
export function linkHostName(i: number, link: number): string {
  return link === 0 ? `host${i}` : `host${i}-${String.fromCharCode(97 + link)}`;
}

/** The hosts file, the same on each host: everyone by name on every link. */
export function hostsFile(hosts: number, links: number): string {
  const lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"];
  for (let link = 0; link < links; link += 1) {
    for (let other = 1; other <= hosts; other += 1) {
      lines.push(`${addressOf(other, link)} ${linkHostName(other, link)}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

/** The control group of host `i`'s containers, relative to each hierarchy. */
export function cgroupOf(name: string, i?: number): string {
  const group = `${CGROUP_PARENT}/${name}`;
  return i === undefined ? group : `${group}/host${i}`;
}

/** The tunnel device that carries the delayed traffic of a pair, in the namespace of its end at `i`. */
export function delayDevice(i: number, j: number): string {
  return `delay${i}x${j}`;
}
