/** What a host must know of a cluster before it joins, and how it and a member find out whether they reach each other. */
import * as z from "zod";

const count = z.number().int();
const portSchema = z.number().int().min(1).max(65_535);
const portsSchema = z.strictObject({ gossip: portSchema, overlay: portSchema, api: portSchema });

const linkSchema = z.object({ number: count, address: z.string(), priority: count });

export const joinInfoSchema = z.object({
  cluster: z.string().describe("its name in gossip, which the keys depend on"),
  name: z.string().describe("of its configuration"),
  configVersion: count.nullable(),
  quorate: z.boolean(),
  version: z.string().describe("of the program, as 0.1.0"),
  date: z.string().describe("ISO 8601, of the node that answers"),
  encryption: z.enum(["wireguard", "none"]),
  fingerprint: z.string().describe("SHA-256 of this node's certificate, in hex with colons"),
  nodeId: count.describe("of the node that answers"),
  nodes: z
    .array(
      z.object({
        id: count,
        name: z.string(),
        address: z.string().describe("where gossip has it"),
        links: z.array(linkSchema),
        ports: z.object({ gossip: count, overlay: count, api: count }),
        isHeard: z.boolean(),
      }),
    )
    .describe("all that have a place, by id"),
});

export const joinCheckSchema = z.strictObject({
  address: z
    .string()
    .max(64)
    .optional()
    .describe("of the host that is to join; by default where it asks from"),
  ports: portsSchema.describe("on which it listens for this check"),
  hasRelay: z.boolean().describe("the overlay's port is needed by TCP as well"),
  nonce: z
    .string()
    .regex(/^[0-9a-f]{32}$/, "a nonce is 32 hex digits")
    .describe("what both sides send, and the host echoes"),
});

export const joinCheckedSchema = z.object({
  address: z.string().describe("where the host was looked for"),
  paths: z.array(
    z.object({
      direction: z.enum(["to-host", "from-host"]),
      protocol: z.enum(["tcp", "udp"]),
      port: count,
      isOpen: z.boolean(),
    }),
  ),
});

export type JoinInfo = z.infer<typeof joinInfoSchema>;
export type JoinCheck = z.infer<typeof joinCheckSchema>;
export type JoinChecked = z.infer<typeof joinCheckedSchema>;
