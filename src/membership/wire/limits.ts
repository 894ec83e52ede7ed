/** Bounds of everything that comes off the wire. What is larger is refused, whoever signed it. */

/** Bytes of one datagram that memberlist fills; ours keep to it so that no link on the way fragments them. */
export const PACKET_BUDGET = 1400;
/** The largest datagram that is looked at: probes of a tunnel's size may be larger than the budget. */
export const MAX_PACKET = 16 * 1024;
/** Plain bytes that a compressed packet may grow to. */
export const MAX_PACKET_PLAIN = 64 * 1024;
/** Encrypted bytes of one stream message. */
export const MAX_STREAM = 10 * 1024 * 1024;
/** Plain bytes that a compressed stream message may grow to. */
export const MAX_STREAM_PLAIN = 16 * 1024 * 1024;
/** Members in one push/pull: twice as many as there are node ids. */
export const MAX_MEMBERS = 131_072;
export const MAX_NAME = 255;
export const MAX_META = 512;
export const MAX_LABEL = 255;
export const MAX_ERROR_TEXT = 1024;
export const MAX_UINT32 = 0xffffffff;
