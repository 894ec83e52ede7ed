/** How a host that holds an administrator's context asks to join, and what it is answered. */
import * as z from "zod";
import { MAX_NODE_ID } from "../values/node-id.ts";
import { MAX_PROMISED } from "./join-limits.ts";

const keySchema = z.string().regex(/^[A-Za-z0-9+/]{43}=$/, "a key is base64 of 32 bytes");

export const joinRequestSchema = z.strictObject({
  name: z
    .string()
    .regex(
      /^[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?$/,
      "the name of a node has letters, digits, dots and hyphens",
    )
    .describe("the node's name, unique in the cluster"),
  nodeKey: keySchema.describe("the node's identity, an Ed25519 public key"),
  oneTimeKey: keySchema.describe("an X25519 public key made for this once"),
  proof: z
    .string()
    .regex(/^[A-Za-z0-9+/]{86}==$/, "the proof is base64 of 64 bytes")
    .describe("the node key's signature over the one-time key and the name"),
  id: z
    .number()
    .int()
    .min(1)
    .max(MAX_NODE_ID)
    .optional()
    .describe("the id wished for; by default the lowest free one"),
});

export const joinedSchema = z.object({
  id: z.number().int().describe("the lowest free one, or the one that the key had before"),
  name: z.string().describe("the one asked for, or the one that the key had before"),
  cluster: z.string(),
  subnet: z.string(),
  encryption: z.enum(["wireguard", "none"]),
  gossipPort: z.number().int().describe("of the node that answers"),
  targets: z.array(z.string()).describe("HOST:PORT of nodes to dial, the one that answers first"),
  sealed: z
    .object({ publicKey: z.string(), box: z.string() })
    .describe("the cluster's keys, readable with the one-time private key only"),
});

const placedSchema = z.strictObject({
  id: z.number().int().min(1).max(MAX_NODE_ID),
  name: z.string().min(1).max(253),
  fingerprint: z.string().regex(/^[0-9a-f]{8}$/, "a fingerprint is 8 hex digits"),
  forSeconds: z.number().int().min(0).max(3_600),
});

export const placeRequestSchema = z.strictObject({
  name: z.string().min(1).max(253),
  fingerprint: placedSchema.shape.fingerprint.describe("of the joiner's node key"),
  id: placedSchema.shape.id.optional().describe("the one wished for"),
  promised: z
    .array(placedSchema)
    .max(MAX_PROMISED)
    .describe("places that the asking node promised and that may not be seen yet"),
});

export const placeSchema = z.object({ id: z.number().int(), name: z.string() });

export type PlaceRequest = z.infer<typeof placeRequestSchema>;
export type PlaceGiven = z.infer<typeof placeSchema>;
export type JoinRequest = z.infer<typeof joinRequestSchema>;
export type Joined = z.infer<typeof joinedSchema>;
