import type { GetSessionInfo } from '../broker/use-cases.ts';
import { json } from './answer.ts';
import type { Route } from './http-entry.ts';

/** `GET /sessioninfo`: what ThoughtSpot says of the caller's live token, in the seed's names, never the token. */
export function sessioninfoRoute(getSessionInfo: GetSessionInfo): Route {
  return {
    scopes: ['token'],
    async answer({ caller, deadline }) {
      const { userName, userId, orgId, details } = await getSessionInfo(caller, deadline);
      // A null in an optional field of the seed makes its SDK throw (wire facts 1.4). A token must not get out, even if a
      // cluster puts one into an unexpected field.
      const shown = Object.entries(details).filter(([name, value]) => value != null && !/token/i.test(name));
      return json(200, {
        ...Object.fromEntries(shown),
        userName,
        ...(userId === undefined ? {} : { userGUID: userId }),
        ...(orgId === undefined ? {} : { orgId }),
      });
    },
  };
}
