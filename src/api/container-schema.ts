/**
 * The containers of the whole cluster: the document of `GET /v1/containers` and of `hansa ps -o json`, and the events of its watchers.
 *
 * Fields are never left out: what is not known is null.
 */
import * as z from "zod";
import { LIFE_STATES } from "./life-states.ts";

/** idle: not on the node, and nobody fetches it; failed: the last attempt to fetch it did. */
export const IMAGE_STATES = ["idle", "pulling", "pulled", "failed"] as const;

export const containerSchema = z.object({
  node: z.object({ id: z.number().int().positive(), name: z.string() }),
  id: z.string().nullable().describe("Docker's, 64 digits; null while there is no container yet"),
  group: z.string().nullable().describe("the compose project; null outside of one"),
  name: z.string().describe("the compose service; the container's own name outside of a project"),
  dockerName: z.string(),
  image: z.string().describe("repository:tag"),
  addresses: z.array(z.string()).describe("on the network hansa; none while it does not run"),
  ports: z.array(
    z.object({
      port: z.number().int().describe("of the container"),
      protocol: z.string(),
      hostPort: z.number().int().nullable().describe("null when it is not published"),
      hostAddress: z.string().nullable().describe("null for every address of the host"),
    }),
  ),
  dependsOn: z.array(z.string()).describe("group.name each"),
  imageState: z.object({
    state: z.enum(IMAGE_STATES),
    percent: z.number().min(0).max(100).nullable().describe("how much of a pull is done"),
    error: z.string().nullable().describe("why the last pull failed"),
  }),
  engine: z.literal("docker"),
  engineState: z.string().nullable().describe("the engine's own word; null without a container"),
  state: z.enum(LIFE_STATES),
  stateSince: z.iso.datetime().nullable(),
  exitCode: z.number().int().nullable().describe("of the last run; null while it runs"),
  error: z.string().nullable().describe("why the engine could not start it"),
});

export const containerNodeSchema = z.object({
  id: z.number().int().positive(),
  name: z.string(),
  reachable: z.boolean().describe("whether the node tells of its containers now"),
  asOf: z.iso
    .datetime()
    .nullable()
    .describe("when what is shown of its containers was so; null when nothing is known of them"),
  problem: z
    .object({ code: z.string(), message: z.string() })
    .nullable()
    .describe("why it does not tell, or why what it tells is old"),
});

export const containersSchema = z.object({
  nodes: z.array(containerNodeSchema).describe("by id"),
  containers: z.array(containerSchema).describe("by node, group, name"),
});

/** First all, then what changed; all again where a reader was too slow for the changes. */
export const containerEventSchema = z.discriminatedUnion("type", [
  containersSchema.extend({ type: z.literal("all") }),
  z.object({ type: z.literal("container"), container: containerSchema }),
  z.object({ type: z.literal("gone"), node: z.number().int(), id: z.string() }),
  z.object({ type: z.literal("node"), node: containerNodeSchema }),
  z.object({ type: z.literal("node-gone"), node: z.number().int() }),
]);

export type ContainerRow = z.infer<typeof containerSchema>;
export type ContainerNode = z.infer<typeof containerNodeSchema>;
export type Containers = z.infer<typeof containersSchema>;
export type ContainerEvent = z.infer<typeof containerEventSchema>;
export type ImageState = (typeof IMAGE_STATES)[number];
