/** A moment as people write it: so long ago, a date, or seconds since 1970. Pure. */
import { dockerTime } from "../streams/log-message.ts";

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1e3,
  m: 6e4,
  h: 3.6e6,
  d: 8.64e7,
  w: 6.048e8,
};

/** "seconds.nanoseconds" since 1970 of "90s", "1h30m", "2026-01-02", "2026-01-02T03:04:05.5Z" or "1700000000"; undefined for anything else. */
export function parseTime(text: string, nowMs: number): string | undefined {
  if (/^\d{1,12}(\.\d{1,9})?$/.test(text)) return text;
  if (/^(\d{1,9}(\.\d{1,3})?(ms|s|m|h|d|w))+$/.test(text)) {
    const parts = [...text.matchAll(/([\d.]+)(ms|s|m|h|d|w)/g)];
    const agoMs = parts.reduce(
      (sum, [, count, unit]) => sum + Number(count) * (UNITS[unit ?? ""] ?? 0),
      0,
    );
    return ofMs(nowMs - agoMs);
  }
  if (!/^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?)?$/.test(text))
    return undefined;
  const ms = Date.parse(text.replace(" ", "T"));
  return Number.isNaN(ms) ? undefined : ofMs(ms);
}

function ofMs(ms: number): string {
  return dockerTime(BigInt(Math.round(ms)) * 1_000_000n);
}
