import { inspect } from 'node:util';
import fc from 'fast-check';
import { Failure } from '../../functions/broker/failure.ts';
import { decide } from '../../functions/policy/decide.ts';
import { makeEntitlements } from '../../functions/policy/entitlements.ts';
import { parseSecret } from '../../functions/secrets/credential.ts';
import type { Claims } from '../../functions/broker/ports.ts';
import { checkPolicyText } from '../../infra/policy/check.ts';
import { PolicyError } from '../../infra/policy/policy-error.ts';
import { leaksIn } from '../support/canaries.ts';
import {
  callerWith,
  claims,
  compilePolicy,
  FACTS,
  NOW,
  policyDocument,
  request,
  sha256,
} from '../support/policy-documents.ts';
import { verdictOf } from '../support/policy-oracle.ts';
import { CANARY, fuzz, oddText, oddValue, spoiled } from './fuzzing.ts';

fuzz(
  'whatever document comes as a policy, it compiles or says what is wrong, and decides about any claims',
  'policies',
  (count) =>
    fc.property(
      fc.oneof(policyDocument, spoiled(policyDocument)),
      fc.oneof(claims, fc.dictionary(fc.constantFrom('tenant', 'name', 'roles', 'level', 'cognito:groups'), oddValue)),
      request,
      (document, held, asked) => {
        const policy = compiled(document);
        if (policy === undefined) return count('refused');
        const decision = decide(policy, callerWith(held as Claims), asked, FACTS);
        if (!decision.allowed) return count('compiled, and nothing granted');
        expect(decision.grant.user.trim()).not.toBe('');
        expect(['tsadmin', 'system', 'su']).not.toContain(decision.grant.user.toLowerCase());
        expect(Number.isInteger(decision.grant.orgId)).toBe(true);
        expect(decision.grant.validitySeconds).toBeGreaterThanOrEqual(1);
        count('compiled, and a token granted');
      },
    ),
);

/** A text that was changed after it was checked: by one character, or as JSON that means the same. */
const tampered: readonly ((text: string, at: number) => string)[] = [
  (text, at) => `${text.slice(0, at % text.length)} ${text.slice(at % text.length)}`,
  (text, at) => text.slice(0, at % text.length) + text.slice((at % text.length) + 1),
  (text) => JSON.stringify(JSON.parse(text), null, 1),
  (text) => text.replace(/"limits":/, '"limits":{},"limits":'),
  (text) => `\ufeff${text}`,
];

fuzz(
  'a function takes what synth takes, decides as a second reading of the document does, and takes no other text',
  'policies at a function',
  (count) =>
    fc.property(
      policyDocument,
      claims,
      request,
      fc.constantFrom(...tampered),
      fc.nat(),
      (document, held, asked, change, at) => {
        const checked = checkedText(JSON.stringify(document));
        if (checked === undefined) return count('refused by synth');
        const { text, digest } = checked;
        const entitlements = makeEntitlements({ text, digest, host: FACTS.host, sha256 });
        const { code, ...expected } = verdictOf(document, held, asked, 3_600, NOW);
        const decision = entitlements.decide(callerWith(held), asked, NOW);
        if (decision.allowed) {
          const { rule, user, orgId, rights, validitySeconds } = decision.grant;
          const name = user.replace(/~[a-z2-7]{16}$/, '~');
          expect({ code: 'granted', rule, user: name, orgId, rights, validitySeconds }).toEqual({ code, ...expected });
        } else expect([decision.code, decision.rule, decision.maxAge]).toEqual([code, expected.rule, expected.maxAge]);
        const other = change(text, at);
        expect(() => makeEntitlements({ text: other, digest, host: FACTS.host, sha256 })).toThrow(/^misconfigured: /);
        count(code);
      },
    ),
);

function checkedText(written: string) {
  try {
    return checkPolicyText(written);
  } catch (error) {
    expect(error).toBeInstanceOf(PolicyError);
    return undefined;
  }
}

function compiled(document: unknown) {
  try {
    return compilePolicy(document);
  } catch (error) {
    expect(error).toBeInstanceOf(PolicyError);
    expect((error as PolicyError).faults.length).toBeGreaterThan(0);
    return undefined;
  }
}

const base64Key = Buffer.alloc(32, CANARY).toString('base64');
const secretDocument = fc.oneof(
  fc.constant<object>({ secretKey: CANARY, digestKey: base64Key, orgs: { 2: { secretKey: CANARY } } }),
  fc.constant<object>({ userName: 'svc', password: CANARY, digestKey: base64Key }),
  fc.record({ secretKey: oddText, digestKey: oddText, orgs: oddValue, password: oddText }, { requiredKeys: [] }),
);

fuzz('whatever text is in the secret, it is taken or refused, and nothing of it is told', 'secrets', (count) =>
  fc.property(
    fc.oneof(
      secretDocument.map((document) => JSON.stringify(document)),
      spoiled(secretDocument).map((document) => JSON.stringify(document)),
      oddValue.map((document) => JSON.stringify(document)),
      oddText,
    ),
    (text) => {
      let told: string;
      try {
        const stored = parseSecret(text, 'version-1');
        told = inspect(stored.credential, { depth: 5, showHidden: true }) + (JSON.stringify(stored.credential) ?? '');
        count('taken');
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        expect(error.code).toBe('misconfigured');
        told = inspect(error, { depth: 5 });
        count('refused');
      }
      // A name that is not known may be told to operators: it is not a value.
      const values = valuesIn(text);
      if (values.includes(CANARY)) expect(leaksIn(withoutNames(told, text), { canary: CANARY })).toEqual([]);
    },
  ),
);

/** All text values of a JSON document. */
function valuesIn(text: string): string[] {
  const values: string[] = [];
  try {
    JSON.parse(text, (_name, value: unknown) => {
      if (typeof value === 'string') values.push(value);
      return value;
    });
  } catch {
    values.push(text);
  }
  return values;
}

/** Empty if the document has the canary as a name, which the faults may repeat. */
function withoutNames(told: string, text: string): string {
  return text.includes(`"${CANARY}":`) || text.includes(`${CANARY}x":`) ? '' : told;
}
