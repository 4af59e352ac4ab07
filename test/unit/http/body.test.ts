import * as z from 'zod/mini';
import { Failure } from '../../../functions/broker/failure.ts';
import { LARGEST_BODY, readBody, text } from '../../../functions/http/fields.ts';
import { httpEvent, type EventOptions } from '../../support/http-event.ts';

const FIELDS = z.strictObject({ name: z.optional(text(20_000)), list: z.optional(z.array(z.unknown())) });
const read = (body: string, options: EventOptions = {}) => readBody(httpEvent({ body, ...options }), FIELDS);
const faultOf = (body: string, options: EventOptions = {}) => {
  try {
    return read(body, options);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return [error.code, ...error.errors.map(({ field, detail }) => `${field} ${detail}`)];
  }
};

describe('a body', () => {
  test.each<[string, string, EventOptions, object]>([
    ['none', '', {}, {}],
    ['an empty object', '{}', {}, {}],
    ['base64 of JSON', Buffer.from('{"name":"é"}').toString('base64'), { isBase64Encoded: true }, { name: 'é' }],
    [
      'a content type with parameters',
      '{"name":"a"}',
      { headers: { 'content-type': 'Application/JSON ; charset=utf-8' } },
      { name: 'a' },
    ],
    [
      'names inside of values',
      '{"list":[{"name":1},{"name":2}],"name":"a"}',
      {},
      { list: [{ name: 1 }, { name: 2 }], name: 'a' },
    ],
    ['text that looks like a member', '{"name":"x\\",\\"name\\":{[:"}', {}, { name: 'x","name":{[:' }],
    ['a name twice: the last value counts', '{"name":"a","list":[],"name":"b"}', {}, { name: 'b', list: [] }],
    ['a name twice, once in escapes: the last value counts', '{"name":"a","n\\u0061me":"b"}', {}, { name: 'b' }],
    [
      'a name twice, after values that close: the last value counts',
      '{"list":[[{}]],"name":5 , "name" : "b"}',
      {},
      { list: [[{}]], name: 'b' },
    ],
    [
      'the largest that is taken',
      `{"name":"${'a'.repeat(LARGEST_BODY - 11)}"}`,
      {},
      { name: 'a'.repeat(LARGEST_BODY - 11) },
    ],
  ])('may be %s', (_name, body, options, fields) => {
    expect(read(body, options)).toEqual(fields);
  });

  test.each<[string, string, EventOptions, string[]]>([
    [
      'one byte too many',
      `{"name":"${'a'.repeat(LARGEST_BODY - 10)}"}`,
      {},
      ['invalid-request', 'body has more than 16384 bytes'],
    ],
    ['no text', 'gIA=', { isBase64Encoded: true }, ['invalid-request', 'body is not UTF-8 text']],
    ['no JSON', '{name:1}', {}, ['invalid-request', 'body is not JSON']],
    ['a name twice, the last time wrong', '{"name":"a","name":5}', {}, ['invalid-request', 'name must be a string']],
    ['a list', '[]', {}, ['invalid-request', 'body is not a JSON object']],
    ['null', 'null', {}, ['invalid-request', 'body is not a JSON object']],
    ['another type', '{}', { headers: { 'content-type': 'text/plain' } }, ['unsupported-media-type']],
    ['no type', '{}', { headers: { 'content-type': '' } }, ['unsupported-media-type']],
    ['an unknown name twice', '{"x":1,"x":2}', {}, ['invalid-request', 'x is not a known field']],
    ['an unknown name', '{"x":1}', {}, ['invalid-request', 'x is not a known field']],
    [
      'an unknown name after text that looks like an end',
      '{"name":"}","x":1}',
      {},
      ['invalid-request', 'x is not a known field'],
    ],
    [
      'an unknown name of 64 characters',
      `{"${'x'.repeat(64)}":1}`,
      {},
      ['invalid-request', `${'x'.repeat(64)} is not a known field`],
    ],
    ['a longer one', `{"${'x'.repeat(65)}":1}`, {}, ['invalid-request', `${'x'.repeat(64)}... is not a known field`]],
    ['a value of another shape inside', '{"list":5}', {}, ['invalid-request', 'list Invalid input']],
  ])('may not be %s', (_name, body, options, fault) => {
    expect(faultOf(body, options)).toEqual(fault);
  });

  test.each([undefined, {}])('is taken for no JSON where nothing says that it is (headers: %p)', (headers) => {
    const event = { ...httpEvent({ body: '{}' }), headers };
    expect(() => readBody(event as never, FIELDS)).toThrow(new Failure('unsupported-media-type'));
  });
});
