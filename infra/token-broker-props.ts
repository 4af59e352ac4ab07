import type { ISecurityGroup, IVpc, SubnetSelection } from 'aws-cdk-lib/aws-ec2';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { FunctionName } from '../functions/contract/functions.ts';

/**
 * What a TokenBroker is made of. Values are checked at synthesis, all faults at once, by the readers of the functions
 * themselves; so they must be known then, and cannot be tokens of the CDK, except where a construct is taken.
 */
export interface TokenBrokerProps {
  /**
   * Name of this broker, 1 to 20 of a-z, 0-9 and -. The names of its functions, keys, alarms and logs contain it, and its
   * metrics have it as `environment`. To change it makes all of them anew.
   *
   * @default - made of the construct's path, so that several brokers in one app have different names
   */
  readonly name?: string;
  /**
   * `production`: table, keys, secret and logs outlive the stack. `development`: http://localhost may call the API.
   *
   * @default 'production'
   */
  readonly purpose?: 'development' | 'staging' | 'production';
  /** @default 'INFO' */
  readonly logLevel?: 'DEBUG' | 'INFO' | 'WARN' | 'ERROR';
  /** The cluster whose tokens the broker hands out. */
  readonly thoughtSpot: ThoughtSpotProps;
  /** The OpenID Connect issuers whose access tokens callers show. The routes of the first are at the root. */
  readonly issuers: IssuerProps[];
  /** The front ends that may call the API, one exact origin each, such as https://app.acme.com. */
  readonly allowedOrigins: string[];
  /**
   * Headers of tracing tools that pages may send too.
   *
   * @default - none
   */
  readonly allowedHeaders?: ('traceparent' | 'tracestate' | 'baggage' | 'sentry-trace')[];
  /**
   * Absolute path of the policy (JSON), which says who may have which token. Its cases lie beside it, in
   * `<name>.cases.json`. Both are checked at synthesis, and the functions get the checked policy.
   */
  readonly policyFile: string;
  /**
   * The secret with ThoughtSpot's credential: a new, empty one (`readers`: ARNs of further roles that may read it), or one
   * that is there, by name, ARN or construct. One that is there keeps its own key and its own policy.
   *
   * @default - a new one, named thoughtspot-broker/<name>
   */
  readonly secret?: NewSecret | ImportedSecret | SecretConstruct;
  /**
   * A table that is there, by name: a copy of the ledger that was restored to a point in time. It must have the keys, the
   * indexes and the encryption of the one that it is a copy of. The one that this construct has made leaves the stack.
   *
   * @default - a new one
   */
  readonly ledger?: { readonly import: string };
  /**
   * Your own rotation function.
   *
   * @default - none: rotate by hand
   */
  readonly rotation?: {
    readonly functionArn: string;
    /** 1 to 1000. */
    readonly everyDays: number;
  };
  /**
   * When which tokens are revoked.
   *
   * @default - none: tokens end by their own validity
   */
  readonly revocationSchedules?: RevocationSchedule[];
  /**
   * Takes events `user.deprovisioned`, each of which revokes that user's tokens.
   *
   * @default - none
   */
  readonly deprovisionedEvents?: {
    /** Source of the events; it is matched exactly. */
    readonly source: string;
    /** @default - the account's default bus */
    readonly eventBusName?: string;
  };
  /**
   * Revocations per second that the sweep may send to ThoughtSpot, which accepts 100 calls per second in all.
   *
   * @default 20
   */
  readonly sweepRate?: number;
  /**
   * Parts of the index of what is due. Never lower it while there are live leases.
   *
   * @default 16
   */
  readonly dueShards?: number;
  /**
   * What the API lets through.
   *
   * @default - 50 requests per second, 100 at once
   */
  readonly throttle?: { readonly ratePerSecond: number; readonly burst: number };
  /**
   * A function that acts as a caller every five minutes, and raises an alarm if it gets no token or keeps one. The secret is
   * of its client at the issuer.
   *
   * @default - the prober is deployed and never runs
   */
  readonly prober?: { readonly secret: NamedSecret | ImportedSecret | SecretConstruct };
  /**
   * Sandboxes that a function may have at once (`reserved`), and that are kept warm (`provisioned`).
   *
   * @default - none: the functions take what the account has left
   */
  readonly concurrency?: { readonly [name in FunctionName]?: Concurrency };
  /**
   * How new code comes to callers: a tenth of the calls for five minutes, or all at once.
   *
   * @default 'canary'
   */
  readonly deployment?: 'canary' | 'all-at-once';
  /** @default 365 */
  readonly logRetentionDays?: number;
  /**
   * Whom alarms reach, each severity with a topic of its own: `page` is for what cannot wait, `ticket` for the next working
   * day. An address or a topic that is there; one alone is for both.
   */
  readonly alarms: AlarmDestination | { readonly page: AlarmDestination; readonly ticket: AlarmDestination };
  /** Where the people on call read docs/runbook.md. The text of every alarm has this address and its heading there. */
  readonly runbookUrl: string;
  /**
   * A name of your own for the API, with a certificate in the same region. The API's own address is then disabled.
   *
   * @default - the API's own address
   */
  readonly customDomain?: { readonly name: string; readonly certificateArn: string };
  /**
   * A new VPC whose only way out is one NAT gateway with one address, for clusters with an allow list of callers.
   *
   * @default - the functions are in no VPC
   */
  readonly fixedEgress?: {
    readonly cidr: string;
    /** One to three zones of the stack's region. */
    readonly zones: string[];
  };
  /**
   * A VPC of yours for the functions, instead of `fixedEgress`. They must reach ThoughtSpot, the issuer and AWS from it.
   *
   * @default - the functions are in no VPC
   */
  readonly network?: NetworkProps;
  /**
   * Folder with the functions' bundles, `<name>/main.cjs` and `<name>/index.mjs` each.
   *
   * @default - those in this package
   */
  readonly bundles?: string;
}

export type AlarmDestination = { readonly email: string } | { readonly topicArn: string } | { readonly topic: ITopic };

export interface ThoughtSpotProps {
  /** Its origin, such as https://acme.thoughtspot.cloud. */
  readonly host: string;
  /**
   * `session-v2` is the beta API of 2021.
   *
   * @default 'auth-2.0'
   */
  readonly dialect?: 'auth-2.0' | 'session-v2';
  /**
   * Releases tokens though ThoughtSpot's reply does not say for which org, kind or object: nothing else checks those.
   *
   * @default false
   */
  readonly repliesWithoutScope?: boolean;
}

export interface IssuerProps {
  /**
   * Of every issuer but the first: its routes are at `/i/<name>/...`.
   *
   * @default - none, which is for the first
   */
  readonly name?: string;
  /** Exactly the `iss` claim of its access tokens. */
  readonly url: string;
  /** Audiences of which an access token must have one. */
  readonly audiences: string[];
  /**
   * Scopes of callers who get tokens (`none` where the issuer cannot give one), and of operators, who list, revoke and suspend
   * everybody, of whatever issuer. Without `revoke` nobody of this issuer is an operator.
   *
   * @default - broker:token, and of the first issuer broker:revoke
   */
  readonly scopes?: { readonly token: string; readonly revoke?: string };
  /**
   * What it signs with.
   *
   * @default ['RS256']
   */
  readonly algorithms?: ('RS256' | 'RS384' | 'RS512')[];
  /**
   * Where its keys are.
   *
   * @default - the functions ask its discovery document
   */
  readonly jwksUri?: string;
  /**
   * The claim of its access tokens that names the session, which a logout token calls `sid`.
   *
   * @default - none: a logout ends all that its subject holds
   */
  readonly sessionClaim?: string;
  /**
   * Ids of the front ends' clients there. With them its logout tokens count, at `POST /backchannel-logout`.
   *
   * @default - none: there is no such route
   */
  readonly logoutClients?: string[];
  /**
   * A type of logout tokens that counts besides `logout+jwt` and none: Auth0 writes it.
   *
   * @default - no other type counts
   */
  readonly logoutType?: 'JWT';
  /**
   * Refuses a token with a `nonce`, which is an ID token where access tokens have none.
   *
   * @default false
   */
  readonly refuseNonce?: boolean;
  /**
   * Longest that its access tokens may live, in seconds. Longer ones are refused.
   *
   * @default 86400
   */
  readonly longestTokenSeconds?: number;
}

export interface RevocationSchedule {
  readonly name: string;
  /** cron(minute hour day month weekday year), or rate(n minutes|hours|days). */
  readonly expression: string;
  /** An IANA time zone, such as Europe/Berlin. */
  readonly timeZone: string;
  /** Which tokens: those of everybody, of an org, of a user, or those that are older. */
  readonly select:
    | { readonly all: true }
    | { readonly orgId: number }
    | { readonly userName: string }
    | { readonly olderThanSeconds: number };
}

export interface NamedSecret {
  readonly create: string;
}
export interface NewSecret extends NamedSecret {
  readonly readers?: string[];
}
export interface ImportedSecret {
  /** Name or complete ARN. */
  readonly import: string;
}
export interface SecretConstruct {
  readonly secret: ISecret;
}

export interface Concurrency {
  readonly reserved?: number;
  readonly provisioned?: number;
}

export interface NetworkProps {
  readonly vpc: IVpc;
  /** @default - the private subnets with a way out */
  readonly subnets?: SubnetSelection;
  /** @default - a new one per function, with all ways out */
  readonly securityGroups?: ISecurityGroup[];
}
