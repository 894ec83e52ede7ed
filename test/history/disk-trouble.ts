/**
 * What is done to the disk of a voter's host, as its programs see it: no room is left, or each write is late.
 *
 * Invariant: it lasts until it is taken back, whichever etcd runs meanwhile.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Host } from "../../src/playground/playground.ts";

/** A store fits, and a filler soon fills it: etcd takes 128 MiB for its log at once. */
const SMALL = "size=200m";
const STATE = "/var/lib/hansa";
const BALLAST = `${STATE}/ballast`;
/** Each is there while its trouble is to last. */
const FILLING = "/tmp/filling";
/** There once it is full. */
const FULL = "/tmp/full";
const SLOWED = "/tmp/slowed";
const PATIENCE_MS = 120_000;

/** Before the node is launched. A power cut empties it. */
export function smallDisk(host: Host): Promise<void> {
  return must(host, `mount -t tmpfs -o ${SMALL} tmpfs ${STATE}`);
}

/** From now on no byte is left, and whatever is freed is taken again. */
export function fillDisk(host: Host): Promise<void> {
  // What fills ends when nothing more is taken.
  const fill = `while [ -e ${FILLING} ]; do
    cat /dev/zero >>${BALLAST}; touch ${FULL}; sleep 0.1
  done 2>/dev/null`;
  const begin = `rm -f ${FULL}; touch ${FILLING}; { ${fill}; rm ${BALLAST}; } & exec >&- 2>&-`;
  return must(host, `${begin}; until [ -e ${FULL} ]; do sleep 0.1; done`);
}

/** Nothing where it is not full. */
export function freeDisk(host: Host): Promise<void> {
  return taken(host, FILLING, BALLAST);
}

/** Each write that etcd waits for takes so much longer. Its parts that begin before the tracer looks again are not slowed. */
export function slowDisk(host: Host, ms: number): Promise<void> {
  const inject = `inject=fdatasync:delay_exit=${ms * 1000}`;
  const trace = `strace -qq -f -e trace=fdatasync -e ${inject} -o /dev/null -p`;
  // It ends with the etcd that it traces.
  const follow = `while [ -e ${SLOWED} ]; do
    for pid in $(pgrep -x etcd); do ${trace} $pid & echo $! >${SLOWED}.pid; wait; done; sleep 0.1
  done`;
  return must(
    host,
    `touch ${SLOWED} ${SLOWED}.pid; { ${follow}; rm ${SLOWED}.pid; } & exec >&- 2>&-`,
  );
}

/** Nothing where it is not slow. */
export function quickDisk(host: Host): Promise<void> {
  return taken(host, SLOWED, `${SLOWED}.pid`, `kill $(cat ${SLOWED}.pid) 2>/dev/null;`);
}

/** Takes the trouble back, and waits until `left` is gone, which who makes it removes at its end. */
async function taken(host: Host, trouble: string, left: string, each = ""): Promise<void> {
  const endMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const { status } = await host.exec(["sh", "-c", `rm -f ${trouble}; ${each} [ ! -e ${left} ]`]);
    if (status === 0) return;
    if (performance.now() > endMs) throw new Error(`${left} stays on ${host.name}`);
    await pause(100);
  }
}

async function must(host: Host, script: string): Promise<void> {
  const { status, stdout, stderr } = await host.exec(["sh", "-c", script]);
  if (status !== 0) throw new Error(`${script} on ${host.name}: ${status} ${stdout}${stderr}`);
}
