/** The routes of the cluster as a whole. */
import { BODY_ERRORS, type Route, route } from "./route.ts";

/** Schemas are made when the first body is to be checked: to make them all would be a tenth of a daemon's start. */
const joinInfo = () => import("./join-info-schemas.ts");
const quorum = () => import("./quorum-schemas.ts");
const remove = () => import("./remove-schemas.ts");

export const CLUSTER_ROUTES: readonly Route[] = [
  route({
    method: "get",
    path: "/v1/quorum",
    operation: "getQuorum",
    summary: "Who is there, whose votes count, and whether the configuration may be changed",
    response: async () => (await quorum()).quorumSchema,
    errors: ["STORE_NONE", "STORE_UNREACHABLE"],
    handle: (node) => node.cluster.quorum(),
  }),
  route({
    method: "get",
    path: "/v1/join/info",
    operation: "getJoinInfo",
    summary: "What a host must know of the cluster before it joins",
    response: async () => (await joinInfo()).joinInfoSchema,
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
    request: async () => (await joinInfo()).joinCheckSchema,
    response: async () => (await joinInfo()).joinCheckedSchema,
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
    request: async () => (await remove()).removeNodeSchema,
    response: async () => (await remove()).nodeRemovedSchema,
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
