/**
 * Node's own modules, loaded when something of them is first used.
 *
 * A file's imports name many that a run of it never touches: node:crypto alone costs 14 ms of processor time, as much as half of Node's start.
 * So who requires one gets an object with the same names, whose first reading loads the module and makes the object like it.
 */

/** A module's names, by its specifier. */
export type BuiltinNames = Readonly<Record<string, readonly string[]>>;

/** `require` with the modules of `names` loaded late; it is asked for all others at once. */
export function lazyBuiltins(
  names: BuiltinNames,
  require: (id: string) => unknown,
): (id: string) => unknown {
  const stand = new Map<string, unknown>();
  return (id) => {
    const known = stand.get(id);
    if (known !== undefined) return known;
    const keys = names[id];
    const made = keys === undefined ? require(id) : standIn(keys, () => require(id) as object);
    stand.set(id, made);
    return made;
  };
}

function standIn(keys: readonly string[], load: () => object): object {
  const made: Record<string, unknown> = {};
  const become = () => {
    const descriptors = Object.getOwnPropertyDescriptors(load());
    for (const key of Object.keys(descriptors)) {
      Object.defineProperty(made, key, { ...descriptors[key], configurable: true });
    }
  };
  for (const key of keys) {
    Object.defineProperty(made, key, {
      configurable: true,
      enumerable: true,
      get() {
        become();
        return made[key];
      },
    });
  }
  return made;
}
