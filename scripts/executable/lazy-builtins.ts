/**
 * Node's own modules, loaded when something of them is first used.
 *
 * A file's imports name many that a run of it never touches: node:crypto alone costs 14 ms of processor time, as much as half of Node's start.
 * So who requires one gets an object that loads the module when it is first looked into, and is then like it.
 */

/**
 * `require` with those of Node's modules loaded late that cost something and are not loaded anyhow at Node's start; it is asked for all others at
 * once. A module that is itself a function (events, stream, assert) cannot be late, and what is deprecated or warns is left to itself.
 */
export function lazyBuiltins(require: (id: string) => unknown): (id: string) => unknown {
  const stand = new Map<string, unknown>();
  return (id) => {
    const known = stand.get(id);
    if (known !== undefined) return known;
    const name = id.startsWith("node:") ? id.slice(5) : id;
    const made = LATE.has(name) ? standIn(() => require(id) as object) : require(id);
    stand.set(id, made);
    return made;
  };
}

export const LATE: ReadonlySet<string> = new Set([
  "async_hooks",
  "child_process",
  "crypto",
  "dgram",
  "dns",
  "dns/promises",
  "fs/promises",
  "http",
  "http2",
  "https",
  "net",
  "os",
  "perf_hooks",
  "readline",
  "readline/promises",
  "timers/promises",
  "tls",
  "tty",
  "v8",
  "worker_threads",
  "zlib",
]);

/** Once it was looked into, the proxy has no traps left: all goes to what stands behind it, which has the module's properties. */
function standIn(load: () => object): object {
  const made = {};
  const become = (): object => {
    const descriptors = Object.getOwnPropertyDescriptors(load());
    for (const trap of Object.keys(traps)) delete traps[trap as keyof typeof traps];
    for (const key of Object.keys(descriptors)) {
      Object.defineProperty(made, key, { ...descriptors[key], configurable: true });
    }
    return made;
  };
  const traps: ProxyHandler<object> = {
    get: (_, key) => Reflect.get(become(), key),
    has: (_, key) => Reflect.has(become(), key),
    ownKeys: () => Reflect.ownKeys(become()),
    getOwnPropertyDescriptor: (_, key) => Reflect.getOwnPropertyDescriptor(become(), key),
  };
  return new Proxy(made, traps);
}
