import type { APIGatewayProxyEventV2WithJWTAuthorizer } from 'aws-lambda';
import { Failure } from '../broker/failure.ts';

/** Whether the gateway sent it; what else is in it is for the HTTP entry to judge. */
export function isHttp(event: unknown): event is APIGatewayProxyEventV2WithJWTAuthorizer {
  return isObject(event) && 'requestContext' in event;
}

/** The members of an event, or of an object in one. Throws Failure `invalid-request` for anything else. */
export function membersOf(value: unknown): readonly (readonly [string, unknown])[] {
  if (!isObject(value))
    throw new Failure('invalid-request', { errors: [{ field: 'event', detail: 'must be an object' }] });
  return Object.entries(value);
}

export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
