/** ThoughtSpot's error bodies, in the shapes of wire facts 3.5 and 2. */
export const INCIDENT = '540d4ae0-6bd8-4c2b-a3a1-5b1a3f0d7c11';
const TRACE = '7f9c2ba4-e88f-4c0a-9a52-6e6a0c2d5b3e';

/** As the specification shows it. */
export const documented = (code: number, debug: string): object => ({
  error: { message: { code, incident_id_guid: INCIDENT, trace_id_guid: TRACE, debug } },
});

/** As seen on clusters: one level deeper, the text a JSON array in a string. */
export const live = (code: number, debug: string): object => ({
  error: {
    message: {
      debug: {
        code,
        incident_id_guid: INCIDENT,
        trace_id_guid: 'tracing-disabled',
        debug: JSON.stringify([debug, '']),
      },
    },
  },
});

/** The same without the outer `error`. */
export const bare = (code: number, debug: string): object => {
  const { error } = live(code, debug) as { error: object };
  return error;
};

/** The beta's, at 1.13.1. */
export const beta = (code: number, debug: string): object => ({
  error: {
    errors: {
      message: 'Operation failed or unauthorized request',
      locations: [],
      path: ['restapiV2__getToken'],
      extension: {
        service: 'CALLOSUM',
        code: 'UPSTREAM_FAILURE',
        exception: {
          service: 'CALLOSUM',
          upstreamResponse: { data: { code, incident_id_guid: INCIDENT, trace_id_guid: TRACE, debug }, status: 400 },
          stacktrace: ['Error: upstream'],
        },
      },
    },
  },
});

export const TEXT = {
  badKey: 'The provided secret key or password is incorrect.',
  trustedAuthOff: 'Trusted authentication is not enabled for this cluster or org.',
  noUser: 'User not found.',
  noPermission: 'Forbidden: insufficient privileges to revoke for another user',
  notRevoked: 'The token could not be revoked.',
  fault: 'Internal server error',
} as const;
