import * as z from 'zod/mini';

const text = (longest: number) =>
  z.string('is missing or not a string').check(
    z.minLength(1, 'is empty'),
    z.maxLength(longest, `has more than ${longest} characters`),
    z.refine((value) => value === value.trim() && !/[\r\n\0]/.test(value), 'has white space at an end or a line break'),
  );

const short = text(256);
const secretKey = short;
const digestKey = z
  .string('is missing or not a string')
  .check(
    z.refine(
      (value) => isBase64(value) && Buffer.from(value, 'base64').length >= 32,
      'is not base64 of 32 bytes or more',
    ),
  );

/** A secret key for the cluster, with own ones for organisations that have trusted authentication of their own. */
export const keyDocument = z.strictObject({
  secretKey,
  digestKey,
  orgs: z.optional(
    z.record(
      z.string().check(z.regex(/^\d{1,9}$/)),
      z.strictObject({ secretKey }, 'is not an object'),
      'is not an object with organisation ids as names',
    ),
  ),
  /** The user that dialect session-v2 would sign in as; needed by no other. */
  serviceUser: z.optional(short),
});

/** A service account. */
export const passwordDocument = z.strictObject({ userName: short, password: text(1024), digestKey });

function isBase64(value: string): boolean {
  return /^[A-Za-z0-9+/]+={0,2}$/.test(value) && value.length % 4 === 0;
}
