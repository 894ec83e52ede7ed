/** Light checks of what a daemon answers about the store and the configuration in it (answer-check.ts says when they are used). */
import type {
  ConfigEntries,
  ConfigEntry,
  ConfigEvent,
  ConfigHistory,
  ConfigWritten,
  CopiesInReach,
  CopyPart,
  OwnCopies,
  RecoveryTurn,
  Refounded,
  StoreView,
  Voter,
} from "../api/store-schemas.ts";
import {
  type Check,
  isBoolean,
  isNodeRef,
  isNumber,
  isText,
  listOf,
  orNull,
  record,
} from "./shape.ts";

const isProblem = record({ code: isText, message: isText, hint: isText });

export const isStoreView: Check<StoreView> = record({
  ...{ name: isText, id: isText, generation: isNumber, configVersion: orNull(isNumber) },
  ...{ quorate: isBoolean, leader: orNull(isNodeRef) },
  ...{ term: isNumber, bytes: orNull(isNumber), stale: isBoolean },
  copy: orNull(record({ revision: isText, ageMs: isNumber })),
  wanted: listOf(isNumber),
  times: record({
    ...{ heartbeatMs: isNumber, electionMs: isNumber },
    ...{ roundTripMs: orNull(isNumber), fsyncMs: orNull(isNumber) },
  }),
  witness: orNull(record({ host: isText, port: isNumber, isHeard: isBoolean, hasVote: isBoolean })),
  votes: record({ expected: isNumber, answering: isNumber, needed: isNumber }),
  voters: listOf(
    record({
      ...{ id: isNumber, name: isText, address: isText },
      ...{ hasVote: isBoolean, state: isText, isLocal: isBoolean },
      // Earlier builds do not tell it.
      problem: (problem) => problem === undefined || orNull(isProblem)(problem),
    }),
  ),
});

const isHex = (value: unknown): boolean => isText(value) && /^[0-9a-f]{1,16}$/.test(value);

const isTimes = record({
  heartbeatMs: isNumber,
  electionMs: isNumber,
  fsyncMs: orNull(isNumber),
  // Earlier builds do not tell it.
  witnessMs: (witnessMs) => witnessMs === undefined || orNull(isNumber)(witnessMs),
});

export const isVoter: Check<Voter> = record({
  ...{ member: isHex, leader: orNull(isHex), isLearner: isBoolean },
  applied: (applied) => isText(applied) && /^\d{1,20}$/.test(applied),
  ...{ bytes: isNumber, inUse: isNumber },
  times: (times) => times === undefined || isTimes(times),
  isLate: (isLate) => isLate === undefined || isLate === true,
});

const isNamedStore = record({ id: isText, name: isText, generation: isNumber });

const isCopy = record({
  ...{ source: (source) => source === "voter" || source === "mirror", store: isNamedStore },
  revision: (revision) => isText(revision) && /^\d{1,19}$/.test(revision),
  ...{ takenAtMs: isNumber, entries: isNumber, voters: listOf(isText) },
  hasGrown: isBoolean,
});

export const isOwnCopies: Check<OwnCopies> = record({
  copies: listOf(isCopy),
  isQuorate: isBoolean,
  isBroken: isBoolean,
});

export const isCopyPart: Check<CopyPart> = record({
  sum: isText,
  length: isNumber,
  data: isText,
  source: isText,
  takenAtMs: isNumber,
});

const isPlaced = record({ node: isNodeRef, isChosen: isBoolean });

export const isCopiesInReach: Check<CopiesInReach> = record({
  copies: listOf((copy) => isCopy(copy) && isPlaced(copy)),
  silent: listOf(isText),
  refused: orNull(record({ code: isText, message: isText })),
});

export const isRefounded: Check<Refounded> = record({
  ...{ store: isNamedStore, from: orNull(isNodeRef), revision: isText },
  ...{ takenAtMs: isNumber, entries: isNumber },
});

export const isRecoveryTurn: Check<RecoveryTurn> = record({
  store: orNull(record({ id: isText, generation: isNumber })),
});

const isEntry = record({ key: isText, value: isText, encoding: isText, revision: isText });

const FRESHNESS = { stale: isBoolean, ageMs: orNull(isNumber), reason: orNull(isText) };

export const isConfigEntry: Check<ConfigEntry> = record({ entry: orNull(isEntry), ...FRESHNESS });

export const isConfigEntries: Check<ConfigEntries> = record({
  entries: listOf(isEntry),
  ...FRESHNESS,
});

const isChange = record<{ readonly type: string }>({ type: isText, key: isText, revision: isText });

const isConfigChange = (value: unknown): boolean =>
  isChange(value) && (value.type === "remove" || isEntry(value));

const isSeen = record({ seenAtMs: orNull(isNumber) });

export const isConfigEvent: Check<ConfigEvent> = record({
  ...{ revision: isText, missed: isBoolean, waitsFor: orNull(isText) },
  changes: listOf(isConfigChange),
});

export const isConfigHistory: Check<ConfigHistory> = record({
  whole: isBoolean,
  changes: listOf((change) => isConfigChange(change) && isSeen(change)),
});

export const isConfigWritten: Check<ConfigWritten> = record({
  written: isBoolean,
  revision: isText,
});
