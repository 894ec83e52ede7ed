/** The bounds of a transaction, held by every adapter alike. */
import { HansaError } from "../errors.ts";
import { MAX_OPERATIONS, MAX_VALUE_BYTES, type Transaction } from "./store.ts";

/** Throws STORE_REFUSED for one that no adapter takes. */
export function checkTransaction({ conditions, writes }: Transaction): void {
  const keys = new Set(writes.map(({ key }) => key));
  if (keys.size < writes.length) refuse("one commit would write a key twice");
  if ([...conditions, ...writes].some(({ key }) => key === "")) refuse("a key is empty");
  if (conditions.length + writes.length > MAX_OPERATIONS) {
    refuse(
      `one commit has ${conditions.length + writes.length} keys, the most is ${MAX_OPERATIONS}`,
    );
  }
  for (const write of writes) {
    if (write.type === "put" && write.value.length > MAX_VALUE_BYTES) {
      refuse(`${write.key} has ${write.value.length} bytes, the most is ${MAX_VALUE_BYTES}`);
    }
  }
}

function refuse(text: string): never {
  throw new HansaError("STORE_REFUSED", `the store does not take it: ${text}`);
}
