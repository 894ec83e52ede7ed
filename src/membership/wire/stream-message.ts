/**
 * What one stream carries once it is decrypted: a push/pull, a user message, or one of the packet messages (ping, ack, error).
 *
 * Push/pull is [6], a header map, one map a member, then the user state, whose length the header tells. A user message is [8], a header map,
 * then the payload. Invariant: decodeStreamMessage never throws; members that make no sense (no port, no name or one that is too long,
 * a state of a later version) are left out, so that one odd member does not cost the whole exchange.
 */
import { isUtf8 } from "node:buffer";
import {
  MEMBER_STATE,
  MESSAGE_TYPE,
  type MemberState,
  type Message,
  type PushPull,
  type RemoteMember,
  type User,
} from "../message.ts";
import { removeCompression } from "./compression.ts";
import { MAX_MEMBERS, MAX_META, MAX_NAME, MAX_STREAM_PLAIN, MAX_UINT32 } from "./limits.ts";
import {
  addressBytes,
  checkedMeta,
  decodeMessage,
  encodeMessage,
  endpointOf,
  versionsOf,
} from "./message-codec.ts";
import { FieldNames, MsgpackReader } from "./msgpack-reader.ts";
import { MsgpackWriter } from "./msgpack-writer.ts";

export type StreamMessage =
  | { readonly type: "pushPull"; readonly state: PushPull }
  | Exclude<Message, { type: "suspect" | "alive" | "dead" | "indirectPing" }>;

/** The plain bytes of `message`. Throws RangeError for values that have no encoding. */
export function encodeStreamMessage(message: StreamMessage): Uint8Array {
  if (message.type === "pushPull") return encodePushPull(message.state);
  if (message.type === "user") return encodeUser(message);
  return encodeMessage(message);
}

/** The message that the decrypted `bytes` hold, compressed or not; undefined when they hold none. */
export function decodeStreamMessage(bytes: Uint8Array): StreamMessage | undefined {
  const plain = removeCompression(bytes, MAX_STREAM_PLAIN);
  if (plain === undefined) return undefined;
  if (plain[0] === MESSAGE_TYPE.pushPull) return decodePushPull(plain);
  if (plain[0] === MESSAGE_TYPE.user) return decodeUser(plain);
  const message = decodeMessage(plain);
  switch (message?.type) {
    case "ping":
    case "ack":
    case "nack":
    case "error":
      return message;
    default:
      return undefined;
  }
}

function encodePushPull(state: PushPull): Uint8Array {
  const out = new MsgpackWriter(256 + state.userState.length + state.members.length * 128);
  out.byte(MESSAGE_TYPE.pushPull).map(3).string("Join").bool(state.join);
  out.string("Nodes").uint(state.members.length);
  out.string("UserStateLen").uint(state.userState.length);
  for (const member of state.members) {
    out.map(7).string("Addr").raw(addressBytes(member.endpoint));
    out.string("Incarnation").uint(member.incarnation);
    out.string("Meta").rawOrNil(checkedMeta(member.meta)).string("Name").string(member.name);
    out.string("Port").uint(member.endpoint.port);
    out.string("State").uint(MEMBER_STATE[member.state]);
    out.string("Vsn").raw(Uint8Array.from(member.versions));
  }
  return out.append(state.userState).bytes();
}

function decodePushPull(bytes: Uint8Array): StreamMessage | undefined {
  const reader = new MsgpackReader(bytes, 1);
  let join = false;
  let count = 0;
  let userLength = 0;
  const size = reader.mapSize(16);
  for (let index = 0; index < size && !reader.failed; index++) {
    const key = reader.string(32);
    if (key === "Join") join = reader.bool();
    else if (key === "Nodes") count = reader.uint(MAX_MEMBERS);
    else if (key === "UserStateLen") userLength = reader.uint(MAX_STREAM_PLAIN);
    else reader.skip();
  }
  const members: RemoteMember[] = [];
  for (let index = 0; index < count && !reader.failed; index++) {
    const member = readMember(reader);
    if (member !== undefined) members.push(member);
  }
  const userState = reader.take(userLength);
  if (reader.failed) return undefined;
  return { type: "pushPull", state: { join, members, userState } };
}

const STATES = Object.keys(MEMBER_STATE) as readonly MemberState[];
const MEMBER_FIELDS = new FieldNames([
  "Name",
  "Addr",
  "Port",
  "Meta",
  "Incarnation",
  "State",
  "Vsn",
]);
const NONE = new Uint8Array(0);

/** One member; undefined when it makes no sense, with `reader.failed` when it could not be read at all. */
function readMember(reader: MsgpackReader): RemoteMember | undefined {
  let name = "";
  let address: Uint8Array = NONE;
  let port = 0;
  let meta: Uint8Array = NONE;
  let incarnation = 0;
  let state = 0;
  let versions = versionsOf(NONE);
  const size = reader.mapSize(16);
  for (let index = 0; index < size && !reader.failed; index++) {
    const key = reader.fieldName(MEMBER_FIELDS);
    if (key === "Name") name = textOf(reader.raw(reader.remaining), MAX_NAME);
    else if (key === "Addr") address = reader.raw(16);
    else if (key === "Port") port = reader.uint(65_535);
    else if (key === "Meta") meta = reader.raw(reader.remaining);
    else if (key === "Incarnation") incarnation = reader.uint(MAX_UINT32);
    else if (key === "State") state = reader.uint(MAX_UINT32);
    else if (key === "Vsn") versions = versionsOf(reader.raw(16));
    else reader.skip();
  }
  const endpoint = endpointOf(address, port);
  const known = STATES[state];
  if (reader.failed || endpoint === undefined || known === undefined || name === "") {
    return undefined;
  }
  if (meta.length > MAX_META) return undefined;
  // Copied, because a view would keep the whole exchange of up to 16 MiB alive. Buffer.slice would not copy.
  return { name, endpoint, meta: new Uint8Array(meta), incarnation, state: known, versions };
}

/** The text of `bytes`, or "" when it is longer than `limit` bytes or no UTF-8: memberlist itself bounds no name. */
function textOf(bytes: Uint8Array, limit: number): string {
  return bytes.length <= limit && isUtf8(bytes) ? Buffer.from(bytes).toString() : "";
}

function encodeUser(message: User): Uint8Array {
  const out = new MsgpackWriter(32 + message.payload.length);
  out.byte(MESSAGE_TYPE.user).map(1).string("UserMsgLen").uint(message.payload.length);
  return out.append(message.payload).bytes();
}

function decodeUser(bytes: Uint8Array): StreamMessage | undefined {
  const reader = new MsgpackReader(bytes, 1);
  let length = 0;
  const size = reader.mapSize(16);
  for (let index = 0; index < size && !reader.failed; index++) {
    if (reader.string(32) === "UserMsgLen") length = reader.uint(MAX_STREAM_PLAIN);
    else reader.skip();
  }
  const payload = reader.take(length);
  return reader.failed ? undefined : { type: "user", payload };
}
