/**
 * Entries of the store, written and read where a majority is there. On a machine that starves its programs the votes change their leader now
 * and then, and a command in that moment says that there is no majority: it is given again.
 */
import type { Host } from "../../src/playground/playground.ts";
import { eventually, hansa } from "./cluster.ts";

const LEADS_WITHIN_MS = 30_000;

export function put(host: Host, key: string, value: string): Promise<boolean> {
  return eventually(`${key} is written on ${host.name}`, LEADS_WITHIN_MS, async () => {
    const { status, stderr } = await hansa(host, "config", "put", key, value);
    if (status !== 0) throw new Error(stderr);
    return true;
  });
}

/** What a majority has of it, never a copy; undefined where there is no such entry. */
export async function got(host: Host, key: string): Promise<string | undefined> {
  const { text } = await eventually(`${key} is read on ${host.name}`, LEADS_WITHIN_MS, async () => {
    const { status, stdout, stderr } = await hansa(host, "config", "get", key, "--consistent");
    if (status === 3) return { text: undefined };
    if (status !== 0) throw new Error(stderr);
    return { text: stdout.trim() };
  });
  return text;
}
