/**
 * The one table of routes under /v1: the API serves it, the OpenAPI document and docs/reference/api.md are made from it.
 */
import {
  addressCheckSchema,
  leaveRequestSchema,
  leftSchema,
  takenOverSchema,
  takeOverRequestSchema,
} from "./address-schemas.ts";
import { CLUSTER_ROUTES } from "./cluster-routes.ts";
import { containerEventSchema, containersSchema } from "./container-schema.ts";
import {
  certificatesSchema,
  issuedSchema,
  issueRequestSchema,
  revokedSchema,
  revokeRequestSchema,
} from "./context-schemas.ts";
import { doctorSchema } from "./doctor-schema.ts";
import { inspectionSchema } from "./inspection-schema.ts";
import {
  joinedSchema,
  joinRequestSchema,
  placeRequestSchema,
  placeSchema,
} from "./join-schemas.ts";
import { reportSchema } from "./report-schema.ts";
import {
  connectRequestSchema,
  forgetRequestSchema,
  primeSchema,
  targetsSchema,
  versionSchema,
} from "./request-schemas.ts";
import { BODY_ERRORS, eventRoute, type Route, route } from "./route.ts";
import { statusSchema } from "./status-schema.ts";
import { STORE_ROUTES } from "./store-routes.ts";

export type { Route } from "./route.ts";

export const ROUTES: readonly Route[] = [
  route({
    method: "get",
    path: "/v1/status",
    operation: "getStatus",
    summary: "What the node knows about itself, its peers, connections and addresses",
    response: statusSchema,
    handle: (node) => node.status(),
  }),
  eventRoute({
    path: "/v1/status/watch",
    operation: "watchStatus",
    summary:
      "The status as server-sent events: one at once, and one within a second of each change",
    response: statusSchema,
    errors: ["API_WATCHERS_MANY"],
    stream: (node, signal, who) => node.watchStatus(signal, who),
  }),
  route({
    method: "get",
    path: "/v1/version",
    operation: "getVersion",
    summary: "The version of the running daemon",
    response: versionSchema,
    handle: async (node) => node.version(),
  }),
  route({
    method: "post",
    path: "/v1/targets",
    operation: "connect",
    summary: "Adds targets, or replaces them all, and dials them at once",
    request: connectRequestSchema,
    response: targetsSchema,
    errors: BODY_ERRORS,
    handle: (node, { targets, replace }) => node.connect(targets, replace),
  }),
  route({
    method: "delete",
    path: "/v1/targets",
    operation: "forget",
    summary: "Takes targets away; established connections stay",
    request: forgetRequestSchema,
    response: targetsSchema,
    errors: BODY_ERRORS,
    handle: (node, { targets }) => node.forget(targets),
  }),
  route({
    method: "get",
    path: "/v1/prime",
    operation: "prime",
    summary: "Answers when the node can give out an address, however long that takes",
    response: primeSchema,
    handle: (node, _body, signal) => node.prime(signal),
  }),
  route({
    method: "post",
    path: "/v1/certificates",
    operation: "issueCertificate",
    role: "admin",
    summary: "Makes a key and a certificate with a role for somebody outside of the cluster",
    request: issueRequestSchema,
    response: issuedSchema,
    errors: BODY_ERRORS,
    handle: (node, request, _signal, caller) => node.issueCertificate(request, caller.name),
  }),
  route({
    method: "get",
    path: "/v1/certificates",
    operation: "listCertificates",
    role: "admin",
    summary:
      "Who holds certificates of the cluster, as far as the nodes remember, and which are called back",
    response: certificatesSchema,
    handle: async (node) => node.certificates(),
  }),
  route({
    method: "post",
    path: "/v1/certificates/revoke",
    operation: "revokeCertificates",
    role: "admin",
    summary:
      "Calls one certificate back, or all of one holder that were made until now, on every node and for good",
    request: revokeRequestSchema,
    response: revokedSchema,
    errors: [...BODY_ERRORS, "REVOCATIONS_MANY", "STATE_UNWRITABLE"],
    handle: (node, request, _signal, caller) => node.revokeCertificates(request, caller),
  }),
  route({
    method: "post",
    path: "/v1/join",
    operation: "join",
    role: "admin",
    summary:
      "Takes a host into the cluster as a full peer: its id, and the cluster's keys sealed for it",
    request: joinRequestSchema,
    response: joinedSchema,
    errors: [
      ...BODY_ERRORS,
      "IPAM_ID_OUTSIDE_SUBNET",
      "JOINS_MANY",
      "NODE_DEPARTED",
      "NODE_ID_TAKEN",
      "NODE_NAME_TAKEN",
      "NODE_TWIN",
    ],
    handle: (node, request) => node.admit(request),
  }),
  route({
    method: "post",
    path: "/v1/join/place",
    operation: "choosePlace",
    role: "node",
    summary:
      "Chooses id and name of a host that another node takes in, so that one node chooses for all",
    request: placeRequestSchema,
    response: placeSchema,
    errors: [
      ...BODY_ERRORS,
      "IPAM_ID_OUTSIDE_SUBNET",
      "JOINS_MANY",
      "NODE_DEPARTED",
      "NODE_ID_TAKEN",
      "NODE_NAME_TAKEN",
      "NODE_TWIN",
    ],
    handle: async (node, request) => node.choosePlace(request),
  }),
  route({
    method: "post",
    path: "/v1/leave",
    operation: "leave",
    role: "admin",
    summary:
      "Hands this node's addresses to a peer and leaves the cluster for good; the first half of hansa reset",
    request: leaveRequestSchema,
    response: leftSchema,
    errors: [...BODY_ERRORS, "STORE_LAST_VOTE", "STORE_REFUSED"],
    handle: (node, { force }) => node.leave(force),
  }),
  route({
    method: "post",
    path: "/v1/ipam/take-over",
    operation: "takeOver",
    role: "admin",
    summary:
      "Makes the addresses of a node that is gone for good this node's, and lets its key in no more",
    request: takeOverRequestSchema,
    response: takenOverSchema,
    errors: [
      ...BODY_ERRORS,
      "NODE_DEPARTED",
      "NODE_NOT_FOUND",
      "NODE_TWIN",
      "TAKE_OVER_REFUSED",
      "TAKE_OVER_UNCONFIRMED",
    ],
    handle: (node, { node: wanted, confirmed }) => node.takeOver(wanted, confirmed),
  }),
  route({
    method: "get",
    path: "/v1/ipam/check",
    operation: "checkAddresses",
    summary: "This node's leases with owner, age and reason, and what the rings lack",
    response: addressCheckSchema,
    errors: ["DOCKER_UNREACHABLE", "IPAM_PLUGIN_UNREACHABLE"],
    handle: (node) => node.checkAddresses(false),
  }),
  route({
    method: "post",
    path: "/v1/ipam/repair",
    operation: "repairAddresses",
    summary: "The same after freeing leases that no container held for 10 s",
    response: addressCheckSchema,
    errors: ["DOCKER_UNREACHABLE", "IPAM_PLUGIN_UNREACHABLE"],
    handle: (node) => node.checkAddresses(true),
  }),
  route({
    method: "get",
    path: "/v1/containers",
    operation: "listContainers",
    summary:
      "The containers on the network hansa of all nodes, with how old what is known of each node is",
    response: containersSchema,
    handle: (node) => node.containers(),
  }),
  eventRoute({
    path: "/v1/containers/watch",
    operation: "watchContainers",
    summary: "The same as server-sent events: all at first, then each change as it happens",
    response: containerEventSchema,
    errors: ["API_WATCHERS_MANY"],
    stream: (node, signal, who) => node.watchContainers(signal, who),
  }),
  eventRoute({
    path: "/v1/containers/local/watch",
    operation: "watchOwnContainers",
    summary: "The same events of this node's own containers",
    response: containerEventSchema,
    errors: ["API_WATCHERS_MANY"],
    stream: (node, signal, who) => node.watchOwnContainers(signal, who),
  }),
  route({
    method: "get",
    path: "/v1/inspect",
    operation: "inspect",
    summary: "The whole state in the predecessor's shape, and ours under Hansa",
    response: inspectionSchema,
    handle: (node) => node.inspect(),
  }),
  route({
    method: "get",
    path: "/v1/doctor",
    operation: "doctor",
    summary: "What is wrong with the host and its paths to the peers; takes up to 10 s",
    response: doctorSchema,
    handle: (node) => node.doctor(),
  }),
  route({
    method: "get",
    path: "/v1/report",
    operation: "getReport",
    role: "admin",
    summary:
      "State, logs and network of the node's host for a report, without secrets; takes up to 15 s",
    response: reportSchema,
    handle: (node) => node.report(),
  }),
  ...STORE_ROUTES,
  ...CLUSTER_ROUTES,
];
