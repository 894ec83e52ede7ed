import { MemoryStore } from "./memory-store.ts";
import { storeSuite } from "./store-suite.ts";

const store = new MemoryStore();
storeSuite("memory", () => ({ store, compact: async (revision) => store.compact(revision) }));
