/** What the driver counted since it started. One object per driver, only ever added to. */
export class Counters {
  packetsIn = 0;
  packetsOut = 0;
  packetBytesIn = 0;
  packetBytesOut = 0;
  /** Datagrams that the host refused to send. */
  packetsUnsent = 0;
  /** Parts of authenticated packets that were of unknown type or broken. */
  messagesIgnored = 0;
  rejectedAuthentication = 0;
  rejectedLabel = 0;
  rejectedMalformed = 0;
  streamsIn = 0;
  streamsOut = 0;
  streamBytesIn = 0;
  streamBytesOut = 0;
  /** Streams that we dialled and got no answer from. */
  streamsFailed = 0;
  /** Streams closed at once because too many were open. */
  streamsRefused = 0;
  /** Streams that did not bring a whole message within the deadline, or broke off. */
  streamsCut = 0;
  /** Answers that were larger than a stream may be. */
  answersTooLarge = 0;
  socketErrors = 0;

  reject(reason: "authentication" | "malformed" | "label"): void {
    if (reason === "authentication") this.rejectedAuthentication += 1;
    else if (reason === "label") this.rejectedLabel += 1;
    else this.rejectedMalformed += 1;
  }

  /** A copy. */
  snapshot(): Record<string, number> {
    return Object.fromEntries(Object.entries(this));
  }
}
