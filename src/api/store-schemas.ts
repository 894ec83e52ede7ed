/** The store over the API: its making, its voters, and the configuration in it. */
import * as z from "zod";
import { witnessSchema } from "./witness-schemas.ts";

/** A voter asks for one part of its configuration at a time. */
const MAX_KEY = 1024;
/** What is written at once; the store's own bound is the same. */
const MAX_TEXT = 1024 * 1024;
/** The same in base64. */
const MAX_ENCODED = 4 * Math.ceil(MAX_TEXT / 3);

const hexSchema = z.string().regex(/^[0-9a-f]{1,16}$/, "a member's id is hexadecimal");
const storeIdSchema = z.string().regex(/^[0-9a-f]{1,32}$/, "a store's id is hexadecimal");

export const createStoreSchema = z.strictObject({
  name: z.string().max(64).describe("1 to 15 letters, digits and hyphens"),
});

/** What etcd takes, and no more. */
const timingFields = {
  heartbeatMs: z.number().int().min(1).max(5000).describe("of the voter that leads"),
  electionMs: z
    .number()
    .int()
    .min(5)
    .max(50_000)
    .describe("without a heartbeat for so long, a voter asks for votes"),
} as const;

export const timesSchema = z.strictObject(timingFields);

const measuredMs = z.number().nullable();

export const storeSchema = z.object({
  name: z.string(),
  id: z.string().describe("of all its life"),
  generation: z.number().int().describe("raised when it is made anew from a minority's data"),
  configVersion: z
    .number()
    .int()
    .nullable()
    .describe(
      "one more with each node that joined or was removed, and each vote that was given or taken; null where nobody can say",
    ),
  quorate: z.boolean().describe("a majority answers, so that the configuration can be changed"),
  votes: z.object({
    expected: z.number().int(),
    answering: z.number().int(),
    needed: z.number().int(),
  }),
  leader: z.object({ id: z.number().int(), name: z.string() }).nullable(),
  voters: z.array(
    z.object({
      id: z.number().int(),
      name: z.string(),
      address: z.string().describe("where the voters reach it, inside of the overlay"),
      hasVote: z.boolean().describe("false: it receives the log first"),
      state: z
        .enum(["leads", "follows", "waits", "silent", "away"])
        .describe(
          "waits: it runs and knows of no leader; silent: the node is there, its part of the store is not; away: the node is not heard",
        ),
      problem: z
        .object({ code: z.string(), message: z.string(), hint: z.string() })
        .nullable()
        .describe("of one that is silent: why, as its node says; null where it says nothing"),
      isLocal: z.boolean().describe("of the node that answers"),
    }),
  ),
  witness: witnessSchema
    .nullable()
    .describe("a voter that is no node; among the voters it has id 0"),
  term: z.number().int().describe("one more with each election of a leader"),
  wanted: z.array(z.number().int()).describe("the ids of the nodes that are to have a vote"),
  bytes: z.number().nullable().describe("on disk, of the voter that answers; null where none does"),
  times: z
    .object({
      ...timingFields,
      roundTripMs: measuredMs.describe(
        "the longest between two voters when these were chosen; null: not known",
      ),
      fsyncMs: measuredMs.describe("what the slowest voter's disk took to keep a write, then"),
    })
    .describe("what the voters are to have"),
  stale: z.boolean().describe("no voter answers this node: as its copy has it"),
  copy: z
    .object({
      revision: z.string(),
      ageMs: z.number().describe("how long ago it was known to be the same as the store"),
    })
    .nullable()
    .describe("the answering node's own copy of the whole store"),
});

/** What a voter's daemon says of its etcd to the one that leads. */
export const voterSchema = z.object({
  member: hexSchema,
  leader: hexSchema.nullable(),
  isLearner: z.boolean(),
  applied: z.string().regex(/^\d{1,20}$/),
  bytes: z.number().describe("of its file on disk"),
  inUse: z.number().describe("of these"),
  times: z
    .object({
      ...timingFields,
      fsyncMs: measuredMs.describe("what nine of ten of its writes took at most; null: not known"),
      witnessMs: measuredMs
        .optional()
        .describe("to the witness and back; null or absent: not known, or there is none"),
    })
    .optional()
    .describe("a node of an earlier build says nothing of them"),
  isLate: z
    .literal(true)
    .optional()
    .describe(
      "its etcd waits for its disk: this is what it said last, and it still knows a leader or not",
    ),
});

export const startVoterSchema = z.strictObject({
  store: z.strictObject({
    id: storeIdSchema,
    name: z.string().max(64),
    generation: z.number().int().min(1).max(0xffff_ffff),
  }),
  member: hexSchema.describe("as which it is to run"),
  members: z
    .array(z.strictObject({ name: z.string().max(64), peerUrl: z.string().max(64) }))
    .max(16)
    .describe("all there are, the new one among them"),
});

/** Which store, of which of its generations. */
const markSchema = z.strictObject({
  id: storeIdSchema,
  generation: z.number().int().min(1).max(0xffff_ffff),
});

export const endVoterSchema = z.strictObject({ store: markSchema });

export const recoveryTurnRequestSchema = z.strictObject({
  node: z.number().int().min(1).max(65_535).describe("who is about to make the store anew"),
  name: z.string().min(1).max(64),
  release: z.boolean().describe("true: it is done, or gave up"),
});

export const recoveryTurnSchema = z.object({
  store: markSchema.nullable().describe("what the asked node's etcd holds to"),
});

export const giveVoteSchema = z.strictObject({
  node: z.string().min(1).max(64).describe("its id or its name"),
  vote: z.boolean().describe("true: it is to have one; false: it is to have none"),
});

const sourceSchema = z
  .enum(["voter", "mirror"])
  .describe("voter: what its etcd has; mirror: what it last saw of the store");

const copySchema = z.object({
  source: sourceSchema,
  store: z.object({ id: z.string(), name: z.string(), generation: z.number().int() }),
  revision: z.string().regex(/^\d{1,19}$/),
  takenAtMs: z.number().describe("milliseconds since 1970: when the store was last known to be so"),
  entries: z.number().int(),
  voters: z.array(z.string()).describe("the members with a vote, by their names in gossip"),
  hasGrown: z.boolean().describe("the store had a second vote once"),
});

/** What a node says of its copies to another one. */
export const ownCopiesSchema = z.object({
  copies: z.array(copySchema),
  isQuorate: z.boolean().describe("a majority answers by way of its etcd"),
  isBroken: z.boolean().describe("its etcd cannot be read"),
});

export const copyPartRequestSchema = z.strictObject({
  source: z
    .enum([...sourceSchema.options, "best"])
    .describe("best: as a majority has it, else what it last saw of the store"),
  sum: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable()
    .describe("of the whole, as the first part told it; null for the first part"),
  offset: z
    .number()
    .int()
    .min(0)
    .max(1024 ** 3),
});

export const copyPartSchema = z.object({
  sum: z.string().describe("SHA-256 of the whole"),
  length: z.number().int().describe("of the whole"),
  data: z.string().describe("base64; at most 512 KiB"),
  source: z.enum(["majority", ...sourceSchema.options]),
  takenAtMs: z.number().describe("milliseconds since 1970"),
});

export const expectedSchema = z.strictObject({
  votes: z.number().int().min(1).max(64).describe("how many are expected afterwards"),
});

export const copiesInReachSchema = z.object({
  copies: z.array(
    copySchema.extend({
      node: z.object({ id: z.number().int(), name: z.string() }),
      isChosen: z.boolean(),
    }),
  ),
  silent: z.array(z.string()).describe("nodes that are heard and could not be asked, and why"),
  refused: z
    .object({ code: z.string(), message: z.string(), hint: z.string().nullable() })
    .nullable()
    .describe("why the store would not be made anew"),
});

export const restoreSchema = z.strictObject({
  force: z
    .boolean()
    .describe("also while votes are missing that may go on elsewhere, and from another store"),
});

/** A store that was made anew, and from what. */
export const refoundedSchema = z.object({
  store: z.object({ id: z.string(), name: z.string(), generation: z.number().int() }),
  from: z.object({ id: z.number().int(), name: z.string() }).nullable(),
  revision: z.string(),
  takenAtMs: z.number(),
  entries: z.number().int(),
});

const keySchema = z
  .string()
  .min(1)
  .max(MAX_KEY)
  .describe("a path below the configuration, such as services/web");

const encodingSchema = z
  .enum(["utf8", "base64"])
  .describe("how value stands for bytes; utf8 where they are text");
const consistentSchema = z
  .boolean()
  .optional()
  .describe("refuse rather than read from this node's copy, where no majority answers");

export const configKeySchema = z.strictObject({ key: keySchema });
export const configPrefixSchema = z.strictObject({ prefix: z.string().max(MAX_KEY) });
export const configPutSchema = z.strictObject({
  key: keySchema,
  value: z.string().max(MAX_ENCODED),
  encoding: encodingSchema.optional(),
  revision: z
    .string()
    .regex(/^\d{1,19}$/)
    .optional()
    .describe("written only when the key's entry has this revision; 0: when there is none"),
});

export const readConfigKeySchema = configKeySchema.extend({ consistent: consistentSchema });
export const readConfigPrefixSchema = configPrefixSchema.extend({ consistent: consistentSchema });

const entrySchema = z.object({
  key: z.string(),
  value: z.string(),
  encoding: encodingSchema,
  revision: z.string(),
});
const freshnessSchema = {
  stale: z.boolean().describe("read from this node's copy, because no majority answered"),
  ageMs: z
    .number()
    .nullable()
    .describe("how long ago the copy was known to be the same as the store; null where not stale"),
  reason: z.string().nullable().describe("why it is stale"),
};
export const configEntrySchema = z.object({ entry: entrySchema.nullable(), ...freshnessSchema });
export const configEntriesSchema = z.object({ entries: z.array(entrySchema), ...freshnessSchema });
const removalSchema = z.object({
  type: z.literal("remove"),
  key: z.string(),
  revision: z.string(),
});
const configChangeSchema = z.union([entrySchema.extend({ type: z.literal("put") }), removalSchema]);

export const configEventSchema = z.object({
  revision: z.string().describe("of the whole store, as of this event"),
  changes: z.array(configChangeSchema).describe("of whole commits, in order"),
  missed: z.boolean().describe("changes before this revision cannot be told: read all anew"),
  waitsFor: z.string().nullable().describe("why nothing can be told for the moment"),
});

export const configHistorySchema = z.object({
  changes: z
    .array(
      z.union([
        entrySchema.extend({ type: z.literal("put"), seenAtMs: z.number().nullable() }),
        removalSchema.extend({ seenAtMs: z.number().nullable() }),
      ]),
    )
    .describe(
      "the oldest first; seenAtMs: when it came to this node, in milliseconds since 1970, where its daemon ran then",
    ),
  whole: z.boolean().describe("nothing of the entry is forgotten since it was made"),
});

export const configWrittenSchema = z.object({
  written: z.boolean().describe("false: the entry had another revision, or there was none"),
  revision: z.string(),
});

export type CreateStore = z.infer<typeof createStoreSchema>;
export type StoreView = z.infer<typeof storeSchema>;
export type Voter = z.infer<typeof voterSchema>;
export type OwnCopies = z.infer<typeof ownCopiesSchema>;
export type CopyPartRequest = z.infer<typeof copyPartRequestSchema>;
export type CopyPart = z.infer<typeof copyPartSchema>;
export type Expected = z.infer<typeof expectedSchema>;
export type CopiesInReach = z.infer<typeof copiesInReachSchema>;
export type Restore = z.infer<typeof restoreSchema>;
export type Refounded = z.infer<typeof refoundedSchema>;
export type RecoveryTurn = z.infer<typeof recoveryTurnSchema>;
export type RecoveryTurnRequest = z.infer<typeof recoveryTurnRequestSchema>;
export type EndVoter = z.infer<typeof endVoterSchema>;
export type Times = z.infer<typeof timesSchema>;
export type GiveVote = z.infer<typeof giveVoteSchema>;
export type StartVoter = z.infer<typeof startVoterSchema>;
export type ConfigKey = z.infer<typeof configKeySchema>;
export type ConfigPrefix = z.infer<typeof configPrefixSchema>;
export type ReadConfig = Pick<z.infer<typeof readConfigKeySchema>, "consistent">;
export type ConfigEvent = z.infer<typeof configEventSchema>;
export type ConfigHistory = z.infer<typeof configHistorySchema>;
export type ConfigPut = z.infer<typeof configPutSchema>;
export type ConfigEntry = z.infer<typeof configEntrySchema>;
export type ConfigEntries = z.infer<typeof configEntriesSchema>;
export type ConfigWritten = z.infer<typeof configWrittenSchema>;

/** The answer of what only is done. */
export const doneSchema = z.object({});
