/**
 * Which connections of TCP the kernel sends the same bytes on again and again, because nobody acknowledges them: the other host is cut off or gone.
 *
 * From /proc/net/tcp and tcp6 (proc(5), and net/ipv4/tcp_ipv4.c of Linux for the columns): Node cannot set TCP_USER_TIMEOUT, and without it the kernel tries for
 * fifteen minutes. A reader that is there and takes nothing acknowledges probes, which are another timer, and is none of these.
 */
import { readFile } from "node:fs/promises";
import { isErrno } from "../errors.ts";
import { bytesToIp } from "../values/ip-bytes.ts";

/** The other end of a connection to one of our ports. */
export interface UnansweredEnd {
  readonly ip: string;
  readonly port: number;
  /** How often the oldest bytes were sent again. */
  readonly tries: number;
}

const TABLES = ["/proc/self/net/tcp", "/proc/self/net/tcp6"];
const ESTABLISHED = "01";
const CLOSE_WAIT = "08";
/** Bytes were sent, and their acknowledgement is waited for. */
const RETRANSMITTING = "01";

/** Those of `table`, the text of such a file, whose end on this host is `localPort`. Pure; rows that are none are passed over. */
export function unansweredIn(table: string, localPort: number): UnansweredEnd[] {
  const wanted = localPort.toString(16).toUpperCase().padStart(4, "0");
  return table.split("\n").flatMap((row) => {
    const [, local = "", remote = "", state, , timer = "", retransmits = ""] = row
      .trim()
      .split(/\s+/);
    if (!local.endsWith(`:${wanted}`) || (state !== ESTABLISHED && state !== CLOSE_WAIT)) return [];
    const tries = Number.parseInt(retransmits, 16);
    if (!timer.startsWith(`${RETRANSMITTING}:`) || !(tries > 0)) return [];
    const [hex = "", port = ""] = remote.split(":");
    const ip = ipOf(hex);
    return ip === undefined ? [] : [{ ip, port: Number.parseInt(port, 16), tries }];
  });
}

/** The same of this host now. */
export async function unansweredEnds(localPort: number): Promise<UnansweredEnd[]> {
  const texts = await Promise.all(TABLES.map(textOf));
  return texts.flatMap((text) => unansweredIn(text, localPort));
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, "latin1");
  } catch (error) {
    // A kernel without IPv6 has no such table.
    if (isErrno(error, "ENOENT")) return "";
    throw error;
  }
}

/** Words of 32 bits, each as this machine's byte order has it: little endian on all that we run on. */
function ipOf(hex: string): string | undefined {
  if (!/^([0-9A-F]{8}|[0-9A-F]{32})$/i.test(hex)) return undefined;
  const bytes = Buffer.from(hex, "hex");
  return bytesToIp(bytes.swap32());
}
