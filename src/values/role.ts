/** What the holder of a certificate may do over the API. Each role includes those before it; `node` is for the cluster's nodes themselves. */
export const ROLES = ["viewer", "operator", "admin", "node"] as const;

export type Role = (typeof ROLES)[number];

export function isRole(text: string): text is Role {
  return (ROLES as readonly string[]).includes(text);
}

/** Whether who holds `held` may do what asks for `needed`. */
export function includesRole(held: Role, needed: Role): boolean {
  return ROLES.indexOf(held) >= ROLES.indexOf(needed);
}
