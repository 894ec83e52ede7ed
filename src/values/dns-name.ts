/** DNS names as certificates hold them. */

const DNS_NAME =
  /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/;

/** True for labels of letters, digits and inner hyphens, at most 63 each and 253 with their dots; wildcards are none. */
export function isDnsName(text: string): boolean {
  return DNS_NAME.test(text);
}
