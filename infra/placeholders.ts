import type { Environment } from './environments/environment.ts';

/** Names that are reserved for examples (RFC 2606). */
const MADE_UP = /(^|\.)(example|invalid|test|example\.(com|net|org))$/;

/**
 * The values of an environment that are still made up, each with its path. Such an environment can be synthesized and
 * compared, but there is nothing behind these names that it could be deployed for.
 */
export function placeholders(environment: Environment): readonly string[] {
  const { thoughtSpot, issuers, allowedOrigins, alarms, runbookUrl, customDomain, deprovisionedEvents } = environment;
  const destinations = 'page' in alarms ? alarms : { '': alarms };
  const hosts: readonly (readonly [path: string, value: string, host: string])[] = [
    ['thoughtSpot.host', thoughtSpot.host, new URL(thoughtSpot.host).hostname],
    ...issuers.flatMap(({ url, jwksUri }, index) => [
      [`issuers.${index}.url`, url, new URL(url).hostname] as const,
      ...(jwksUri === undefined ? [] : [[`issuers.${index}.jwksUri`, jwksUri, new URL(jwksUri).hostname] as const]),
    ]),
    ...allowedOrigins.map((origin, index) => [`allowedOrigins.${index}`, origin, new URL(origin).hostname] as const),
    ...Object.entries(destinations).flatMap(([severity, to]) => {
      if (!('email' in to)) return [];
      const path = ['alarms', severity, 'email'].filter((part) => part !== '').join('.');
      return [[path, to.email, to.email.split('@').at(-1) ?? ''] as const];
    }),
    ['runbookUrl', runbookUrl, new URL(runbookUrl).hostname],
    ...(customDomain ? [['customDomain.name', customDomain.name, customDomain.name] as const] : []),
    // Sources of events are written the other way round.
    ...(deprovisionedEvents
      ? [
          [
            'deprovisionedEvents.source',
            deprovisionedEvents.source,
            deprovisionedEvents.source.split('.').slice(0, 2).reverse().join('.'),
          ] as const,
        ]
      : []),
  ];
  return hosts.filter(([, , host]) => MADE_UP.test(host)).map(([path, value]) => `${path}: ${value}`);
}
