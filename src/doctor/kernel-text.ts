/** Numbers out of what the kernel and `ip` print. Pure. */

/** TCP and UDP packets with wrong checksums since boot, from /proc/net/snmp; 0 where the kernel does not count them. */
export function brokenPackets(text: string): number {
  let broken = 0;
  const lines = text.split("\n");
  for (const [index, line] of lines.entries()) {
    const [name = "", ...words] = line.split(" ");
    const column = words.indexOf("InCsumErrors");
    if (column < 0 || (name !== "Tcp:" && name !== "Udp:")) continue;
    broken += Number(lines[index + 1]?.split(" ")[column + 1] ?? 0) || 0;
  }
  return broken;
}

/** The MTU that `ip route get` shows: set on the route, or learnt from the path. */
export function routeMtu(text: string): number | undefined {
  const found = /\bmtu (?:lock )?(\d+)/.exec(text)?.[1];
  return found === undefined ? undefined : Number(found);
}
