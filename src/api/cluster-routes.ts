/** The routes of the cluster as a whole. */
import { quorumSchema } from "./quorum-schemas.ts";
import { type Route, route } from "./route.ts";

export const CLUSTER_ROUTES: readonly Route[] = [
  route({
    method: "get",
    path: "/v1/quorum",
    operation: "getQuorum",
    summary: "Who is there, whose votes count, and whether the configuration may be changed",
    response: quorumSchema,
    errors: ["STORE_NONE", "STORE_UNREACHABLE"],
    handle: (node) => node.cluster.quorum(),
  }),
];
