/** The routes of the cluster as a whole. */
import { joinCheckedSchema, joinCheckSchema, joinInfoSchema } from "./join-info-schemas.ts";
import { quorumSchema } from "./quorum-schemas.ts";
import { nodeRemovedSchema, removeNodeSchema } from "./remove-schemas.ts";
import { BODY_ERRORS, type Route, route } from "./route.ts";

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
  route({
    method: "get",
    path: "/v1/join/info",
    operation: "getJoinInfo",
    summary: "What a host must know of the cluster before it joins",
    response: joinInfoSchema,
    errors: ["STORE_NONE", "STORE_UNREACHABLE"],
    handle: (node) => node.cluster.joinInfo(),
  }),
  route({
    method: "post",
    path: "/v1/join/check",
    operation: "checkJoiner",
    role: "admin",
    summary:
      "Whether this node and a host that is about to join reach each other at every port that they need; takes up to 4 s",
    request: joinCheckSchema,
    response: joinCheckedSchema,
    errors: [...BODY_ERRORS, "COMMAND_TIMEOUT", "JOINS_MANY", "OVERLAY_REFUSED", "TOOL_MISSING"],
    handle: (node, request, _signal, caller) => node.cluster.checkJoiner(request, caller.from),
  }),
  route({
    method: "post",
    path: "/v1/cluster/remove",
    operation: "removeNode",
    role: "admin",
    summary:
      "Takes a node out of the cluster for good: has it leave, or takes it over when it is gone; may take a minute",
    request: removeNodeSchema,
    response: nodeRemovedSchema,
    errors: [
      ...BODY_ERRORS,
      "NETWORK_IN_USE",
      "NODE_DEPARTED",
      "NODE_NOT_FOUND",
      "NODE_TWIN",
      "NODE_UNREACHABLE",
      "STORE_LAST_VOTE",
      "STORE_NONE",
      "STORE_NO_QUORUM",
      "STORE_REFUSED",
      "STORE_UNREACHABLE",
      "TAKE_OVER_REFUSED",
      "TAKE_OVER_UNCONFIRMED",
    ],
    handle: (node, { node: wanted, confirmed }) => node.cluster.removeNode(wanted, confirmed),
  }),
];
