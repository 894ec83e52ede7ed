/** Runs several test files in this one process, one after the other: the arguments are their paths. For node-tests.ts. */
import { pathToFileURL } from "node:url";

for (const file of process.argv.slice(2)) {
  try {
    await import(pathToFileURL(file).href);
  } catch (cause) {
    throw new Error(`${file} cannot be loaded`, { cause });
  }
}
