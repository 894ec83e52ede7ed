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
  has,
  isBoolean,
  isNodeRef,
  isNumber,
  isText,
  listOf,
  orNull,
} from "./shape.ts";

const isProblem = (value: unknown): boolean =>
  has(value, { code: isText, message: isText, hint: isText });

export const isStoreView: Check<StoreView> = (value): value is StoreView =>
  has(value, {
    ...{ name: isText, id: isText, generation: isNumber, configVersion: orNull(isNumber) },
    ...{ quorate: isBoolean, leader: orNull(isNodeRef) },
    ...{ term: isNumber, bytes: orNull(isNumber), stale: isBoolean },
    copy: orNull((copy) => has(copy, { revision: isText, ageMs: isNumber })),
    wanted: listOf(isNumber),
    times: (times) =>
      has(times, {
        ...{ heartbeatMs: isNumber, electionMs: isNumber },
        ...{ roundTripMs: orNull(isNumber), fsyncMs: orNull(isNumber) },
      }),
    witness: orNull((witness) =>
      has(witness, { host: isText, port: isNumber, isHeard: isBoolean, hasVote: isBoolean }),
    ),
    votes: (votes) => has(votes, { expected: isNumber, answering: isNumber, needed: isNumber }),
    voters: listOf((voter) =>
      has(voter, {
        ...{ id: isNumber, name: isText, address: isText },
        ...{ hasVote: isBoolean, state: isText, isLocal: isBoolean },
        // Earlier builds do not tell it.
        problem: (problem) => problem === undefined || orNull(isProblem)(problem),
      }),
    ),
  });

export const isVoter: Check<Voter> = (value): value is Voter =>
  has(value, {
    ...{ member: isHex, leader: orNull(isHex), isLearner: isBoolean },
    applied: (applied) => isText(applied) && /^\d{1,20}$/.test(applied),
    ...{ bytes: isNumber, inUse: isNumber },
    times: (times) =>
      times === undefined ||
      has(times, { heartbeatMs: isNumber, electionMs: isNumber, fsyncMs: orNull(isNumber) }),
  });

const isCopy = (value: unknown): boolean =>
  has(value, {
    ...{ source: (source) => source === "voter" || source === "mirror", store: isNamedStore },
    revision: (revision) => isText(revision) && /^\d{1,19}$/.test(revision),
    ...{ takenAtMs: isNumber, entries: isNumber, voters: listOf(isText) },
    hasGrown: isBoolean,
  });

const isNamedStore = (value: unknown): boolean =>
  has(value, { id: isText, name: isText, generation: isNumber });

export const isOwnCopies: Check<OwnCopies> = (value): value is OwnCopies =>
  has(value, { copies: listOf(isCopy), isQuorate: isBoolean, isBroken: isBoolean });

export const isCopyPart: Check<CopyPart> = (value): value is CopyPart =>
  has(value, { sum: isText, length: isNumber, data: isText, source: isText, takenAtMs: isNumber });

export const isCopiesInReach: Check<CopiesInReach> = (value): value is CopiesInReach =>
  has(value, {
    copies: listOf((copy) => isCopy(copy) && has(copy, { node: isNodeRef, isChosen: isBoolean })),
    silent: listOf(isText),
    refused: orNull((refused) => has(refused, { code: isText, message: isText })),
  });

export const isRefounded: Check<Refounded> = (value): value is Refounded =>
  has(value, {
    ...{ store: isNamedStore, from: orNull(isNodeRef), revision: isText },
    ...{ takenAtMs: isNumber, entries: isNumber },
  });

export const isRecoveryTurn: Check<RecoveryTurn> = (value): value is RecoveryTurn =>
  has(value, { store: orNull((mark) => has(mark, { id: isText, generation: isNumber })) });

const isHex = (value: unknown): boolean => isText(value) && /^[0-9a-f]{1,16}$/.test(value);

const isEntry = (value: unknown): boolean =>
  has(value, { key: isText, value: isText, encoding: isText, revision: isText });

const FRESHNESS = { stale: isBoolean, ageMs: orNull(isNumber), reason: orNull(isText) };

export const isConfigEntry: Check<ConfigEntry> = (value): value is ConfigEntry =>
  has(value, { entry: orNull(isEntry), ...FRESHNESS });

export const isConfigEntries: Check<ConfigEntries> = (value): value is ConfigEntries =>
  has(value, { entries: listOf(isEntry), ...FRESHNESS });

const isConfigChange = (value: unknown): boolean =>
  has(value, { type: isText, key: isText, revision: isText }) &&
  ((value as { readonly type: string }).type === "remove" || isEntry(value));

export const isConfigEvent: Check<ConfigEvent> = (value): value is ConfigEvent =>
  has(value, {
    ...{ revision: isText, missed: isBoolean, waitsFor: orNull(isText) },
    changes: listOf(isConfigChange),
  });

export const isConfigHistory: Check<ConfigHistory> = (value): value is ConfigHistory =>
  has(value, {
    whole: isBoolean,
    changes: listOf(
      (change) => isConfigChange(change) && has(change, { seenAtMs: orNull(isNumber) }),
    ),
  });

export const isConfigWritten: Check<ConfigWritten> = (value): value is ConfigWritten =>
  has(value, { written: isBoolean, revision: isText });
