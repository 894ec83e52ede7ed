/**
 * Whether what etcd wrote before it ended tells that it cannot open its data. Pure.
 *
 * It has many words for that, and panics of Go for more; what it says of its surroundings is known. So: it gave up, and not because of those.
 */

const GAVE_UP = /"level":"(?:fatal|panic)"|^panic: |^fatal error: /m;
const SURROUNDINGS =
  /no space left|quota exceeded|read-only file system|address already in use|cannot assign requested address|permission denied|too many open files|cannot allocate memory|out of memory|input\/output error|bind: |certificate|x509|tls: |no such host|--[a-z-]+ /i;

/** Why, in etcd's own words; undefined when it tells of no such thing. */
export function damageIn(log: string): string | undefined {
  const lines = log.split("\n");
  const at = lines.findLastIndex((line) => GAVE_UP.test(line));
  const line = lines[at];
  if (line === undefined || SURROUNDINGS.test(line)) return undefined;
  const told = [...line.matchAll(/"(?:error|msg)":"((?:[^"\\]|\\.)*)"/g)].map(([, text]) => text);
  return (told.at(-1) ?? line).slice(0, 120);
}
