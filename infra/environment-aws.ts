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

/** `resource`: what the last part of the ARN looks like, as a pattern and in words. */
export const arn = (service: string, resource: string, words: string) =>
  z
    .string()
    .regex(
      new RegExp(`^arn:aws[a-z-]*:${service}:[a-z0-9-]*:\\d{12}:${resource}$`),
      `must be a complete ARN: arn:aws:${service}:${service === 'iam' ? '' : '<region>'}:<account>:${words}`,
    );

export const role = arn('iam', '(role|user)/[\\w+=,.@/-]+', 'role/<name>');

/** A secret of Secrets Manager: a new one, or one that is there. `readers`: ARNs of further roles that may read it. */
export const newSecret = z.string().regex(/^[\w/+=.@-]{1,200}$/, 'use 1 to 200 of A-Z, a-z, 0-9 and /_+=.@-');
export const importedSecret = z.strictObject({
  import: z
    .string()
    .superRefine(readBy('THOUGHTSPOT_SECRET_ID'))
    .regex(
      /^([^:]{1,512}|arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[^:]{1,512}-[A-Za-z0-9]{6})$/,
      'must be a name of at most 512 characters, or a complete ARN: arn:aws:secretsmanager:<region>:<account>:secret:<name>-<6 letters>',
    ),
});

/** The API's name, which the prober calls. */
export const domain = z
  .hostname('must be a host name such as tokens.acme.com')
  .superRefine((name, context) => readBy('BROKER_URL')(`https://${name}`, context));

/** A VPC has /16 to /28, and so does each of its subnets: two in every zone. */
export const networkIn = (region: string) =>
  z
    .strictObject({
      cidr: z.cidrv4('must be a block of IPv4 addresses such as 10.20.0.0/24'),
      zones: z
        .array(
          z
            .string()
            .refine(
              (zone) => new RegExp(`^${region}[a-z]$`).test(zone),
              `must be a zone of ${region}, its name and a letter`,
            ),
        )
        .min(1)
        .max(3),
    })
    .superRefine(({ cidr, zones }, context) => {
      const [length, most] = [Number(cidr.split('/')[1]), 28 - Math.ceil(Math.log2(2 * zones.length))];
      if (length >= 16 && length <= most) return;
      const message = `must be /16 to /${most}, since each of ${zones.length} zones gets two subnets of at least /28`;
      context.addIssue({ code: 'custom', path: ['cidr'], message, input: cidr });
    });
