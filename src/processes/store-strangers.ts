/**
 * Other programs at the ports that the store uses, or would: mostly the etcd that Debian starts when it is installed.
 *
 * Invariant: nothing is bound and nothing ended; the kernel's tables are read, because a port that is tried is in the way of an etcd that begins just then.
 */
import { readFileSync } from "node:fs";
import { isErrno } from "../errors.ts";
import { formatIpv4 } from "../values/ipv4.ts";
import { describeProcess, processBySocket } from "./running-process.ts";

/** A socket that listens, in a table of /proc/net. */
export interface Listener {
  /** In dotted form; "any" for all addresses of the host, "other" for one of IPv6. */
  readonly address: string;
  readonly port: number;
  readonly inode: string;
}

export interface StorePlace {
  readonly host: string;
  readonly port: number;
}

export interface Stranger extends StorePlace {
  /** As people call it: "etcd (pid 7), the service etcd.service". */
  readonly by: string;
}

/** Who listens at these places but the etcd that was started with the configuration at `config`. Needs root to tell them apart. */
export function storeStrangers(places: readonly StorePlace[], config: string): Stranger[] {
  const all = ["tcp", "tcp6"].flatMap((name) =>
    listeners(textOf(`/proc/net/${name}`) ?? "", name === "tcp6"),
  );
  return places.flatMap(({ host, port }) => {
    const found = all.find(
      (each) => each.port === port && (each.address === host || each.address === "any"),
    );
    if (found === undefined) return [];
    const pid = processBySocket(found.inode);
    if (pid === undefined) return [{ host, port, by: "something on this host" }];
    const words = (textOf(`/proc/${pid}/cmdline`) ?? "").split("\0");
    if (words.includes(config)) return [];
    const name = describeProcess(pid) ?? `process ${pid}`;
    const service = serviceIn(textOf(`/proc/${pid}/cgroup`) ?? "");
    return [{ host, port, by: service === undefined ? name : `${name}, the service ${service}` }];
  });
}

/** Those of a table. Pure. */
export function listeners(table: string, isIpv6: boolean): Listener[] {
  return table
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const fields = line.trim().split(/\s+/);
      const [address = "", hexPort = ""] = (fields[1] ?? "").split(":");
      const [state, inode] = [fields[3], fields[9]];
      const port = Number.parseInt(hexPort, 16);
      if (state !== "0A" || inode === undefined || Number.isNaN(port)) return [];
      return [{ address: addressIn(address, isIpv6), port, inode }];
    });
}

/** The systemd service in whose group a process runs. Pure. */
export function serviceIn(cgroup: string): string | undefined {
  return /\/([^/\n]+\.service)(?:$|\/)/m.exec(cgroup)?.[1];
}

/** In the kernel's own byte order, which is little-endian on all machines that we run on. */
function addressIn(hex: string, isIpv6: boolean): string {
  if (/^0+$/.test(hex)) return "any";
  if (isIpv6) return "other";
  return formatIpv4(Buffer.from(hex, "hex").reverse().readUInt32BE(0));
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch (error) {
    const gone = ["ENOENT", "ESRCH", "EACCES", "EPERM"];
    if (gone.some((errno) => isErrno(error, errno))) return undefined;
    throw error;
  }
}
