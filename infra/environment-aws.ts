/** What an environment names of AWS: ARNs, secrets, a domain, a network. Refused here if AWS or a function would refuse it. */
import { z } from 'zod';
import type { EnvironmentVariable } from '../functions/contract/environment.ts';
import { faultOfVariable } from '../functions/wiring/config.ts';

/** What the functions will read: refused here if they would refuse it (functions/wiring/config.ts). */
export const readBy =
  (variable: EnvironmentVariable) =>
  (value: string | number, context: { addIssue: (problem: string) => void }): void => {
    const fault = faultOfVariable(variable, String(value));
    if (fault !== undefined) context.addIssue(fault);
  };

/** Names of regions, such as eu-central-1. */
export const REGION = /^[a-z]{2,4}(-[a-z]+)+-\d$/;
/** For what asks nothing of AWS: a region from which ARNs and zones of every region are taken. */
export const ANY_REGION = 'any-region-0';
/** Whether a zone, or what an ARN names, is where the broker is. */
const isIn = (region: string, other: string): boolean => region === ANY_REGION || other === region;

/** `resource`: what the last part of the ARN looks like, as a pattern and in words. It must be in `region`, if one is given. */
export const arn = (service: string, resource: string, words: string, region = ANY_REGION) =>
  z
    .string()
    .regex(
      new RegExp(`^arn:aws[a-z-]*:${service}:[a-z0-9-]*:\\d{12}:${resource}$`),
      `must be a complete ARN: arn:aws:${service}:${service === 'iam' ? '' : '<region>'}:<account>:${words}`,
    )
    .refine((value) => isIn(region, value.split(':')[3] ?? ''), `must be in ${region}, where the broker is`);

export const role = arn('iam', '(role|user)/[\\w+=,.@/-]+', 'role/<name>');

/** A secret of Secrets Manager: a new one, or one that is there. `readers`: ARNs of further roles that may read it. */
export const newSecret = z.string().regex(/^[\w/+=.@-]{1,200}$/, 'use 1 to 200 of A-Z, a-z, 0-9 and /_+=.@-');
export const importedSecretIn = (region: string) =>
  z.strictObject({
    import: z
      .string()
      .superRefine(readBy('THOUGHTSPOT_SECRET_ID'))
      .regex(
        /^([^:]{1,512}|arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[^:]{1,512}-[A-Za-z0-9]{6})$/,
        'must be a name of at most 512 characters, or a complete ARN: arn:aws:secretsmanager:<region>:<account>:secret:<name>-<6 letters>',
      )
      .refine((value) => isIn(region, value.split(':')[3] ?? region), `must be in ${region}, where the broker is`),
  });

/** What an event pattern of 2,048 characters, by which the secret is watched, leaves for its name and its readers. */
const WATCHED = 1_340;
const readersIn = (secret: { readonly readers?: string[] | undefined } | { readonly import: string }): number =>
  'readers' in secret ? JSON.stringify(secret.readers ?? []).length : 0;

/** ThoughtSpot's credential. `readers`: ARNs of further roles that may read it, such as a rotation or a break-glass role. */
export const credentialIn = (region: string) =>
  z
    .union(
      [z.strictObject({ create: newSecret, readers: z.array(role).optional() }), importedSecretIn(region)],
      'write { create: <name> } for a new, empty secret, or { import: <name or complete ARN> }',
    )
    .refine(
      (secret) => 3 * ('create' in secret ? secret.create : secret.import).length + readersIn(secret) <= WATCHED,
      `is too long with its readers: three times the name and the readers together have room for ${WATCHED} characters`,
    );

/** The API's name, which the prober calls. */
export const domain = z
  .hostname('must be a host name such as tokens.acme.com')
  .regex(/\./, 'must be a host name such as tokens.acme.com')
  .superRefine((name, context) => readBy('BROKER_URL')(`https://${name}`, context));

/** Names of events, as EventBridge takes them from others than AWS itself. */
export const eventSource = z
  .string()
  .regex(/^(?!aws\.(?!partner\/))[\w./-]{1,256}$/, 'use 1 to 256 of A-Z, a-z, 0-9 and /._-, not aws. at the beginning');

/** Private addresses, which no VPC shares with the internet. */
const PRIVATE = /^(10\.|172\.(1[6-9]|2\d|3[01])\.|192\.168\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.)/;

/** A VPC has /16 to /28, and so does each of its subnets: two in every zone. */
export const networkIn = (region: string) =>
  z
    .strictObject({
      cidr: z
        .cidrv4('must be a block of IPv4 addresses such as 10.20.0.0/24')
        .regex(PRIVATE, 'must be private addresses, such as 10.20.0.0/24'),
      zones: z
        .array(
          z
            .string()
            .refine(
              (zone) => /[a-z]$/.test(zone) && REGION.test(zone.slice(0, -1)) && isIn(region, zone.slice(0, -1)),
              `must be a zone of ${region}, its name and a letter`,
            ),
        )
        .min(1)
        .max(3)
        .refine((zones) => new Set(zones).size === zones.length, 'has a zone twice'),
    })
    .superRefine(({ cidr, zones }, context) => {
      const [length, most] = [Number(cidr.split('/')[1]), 28 - Math.ceil(Math.log2(2 * zones.length))];
      if (length >= 16 && length <= most) return;
      const message = `must be /16 to /${most}, since each of ${zones.length} zones gets two subnets of at least /28`;
      context.addIssue({ code: 'custom', path: ['cidr'], message, input: cidr });
    });

/** Whom the alarms of a severity reach. */
export const alarmsTo = (region: string) =>
  z.union([
    z.strictObject({ email: z.email() }),
    z.strictObject({ topicArn: arn('sns', '[\\w-]+', '<topic>', region) }),
  ]);
