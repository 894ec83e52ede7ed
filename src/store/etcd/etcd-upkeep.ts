/** Of one voter's etcd: whether the store is full, and what mends both. Each is one call. */
import { ALONE, asked, type CallOptions, type EtcdChannel, WITH_LEADER } from "./etcd-channel.ts";

/** etcd's enums, as numbers: importing them would load the library. */
const ALARM_GET = 0;
const ALARM_DEACTIVATE = 2;
const NO_SPACE = 1;
/** It rewrites its whole file meanwhile. */
const DEFRAGMENT: CallOptions = { ...ALONE, timeoutMs: 60_000 };

export class EtcdUpkeep {
  readonly #channel: EtcdChannel;

  /** The channel stays the caller's. */
  constructor(channel: EtcdChannel) {
    this.#channel = channel;
  }

  /** Members whose files reached the bound: while there is one, nobody writes. */
  async full(): Promise<bigint[]> {
    const request = { action: ALARM_GET, memberID: 0n, alarm: NO_SPACE };
    const { alarms } = await asked(this.#channel.maintenance.alarm(request, WITH_LEADER));
    return alarms.filter(({ alarm }) => alarm === NO_SPACE).map(({ memberID }) => memberID);
  }

  async disarm(member: bigint): Promise<void> {
    const request = { action: ALARM_DEACTIVATE, memberID: member, alarm: NO_SPACE };
    await asked(this.#channel.maintenance.alarm(request, WITH_LEADER));
  }

  /** Makes its file as large as what is in it; it answers nothing meanwhile. */
  async defragment(): Promise<void> {
    await asked(this.#channel.maintenance.defragment({}, DEFRAGMENT));
  }
}
