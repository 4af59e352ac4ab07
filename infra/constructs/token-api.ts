import { CfnOutput, Duration, Validations } from 'aws-cdk-lib';
import {
  CfnStage,
  CorsHttpMethod,
  DomainName,
  HttpApi,
  HttpMethod,
  HttpStage,
  LogGroupLogDestination,
  type AddRoutesOptions,
  type HttpRoute,
} from 'aws-cdk-lib/aws-apigatewayv2';
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway';
import { HttpIamAuthorizer, HttpJwtAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { CORS_HEADERS, FUNCTIONS, OWN_THROTTLE, pathFor } from '../../functions/contract/functions.ts';
import type { Trigger } from '../../functions/contract/functions.ts';
import type { Environment } from '../environments/environment.ts';
import type { CheckedPolicy } from '../policy/check.ts';
import type { BrokerFunction } from './broker-function.ts';
import { removalOf } from './removal.ts';

/** The fields of the access log: what was requested, the result and the latency, but no token, query string or header. */
const ACCESS_LOG = {
  requestId: '$context.requestId',
  time: '$context.requestTime',
  route: '$context.routeKey',
  status: '$context.status',
  latencyMs: '$context.responseLatency',
  functionLatencyMs: '$context.integrationLatency',
  functionError: '$context.integrationErrorMessage',
  authorizerError: '$context.authorizer.error',
  address: '$context.identity.sourceIp',
  /** Of a caller with AWS credentials, as in the audit, which has the same request id. */
  operator: '$context.identity.userArn',
};

/** One JSON object per line. The latency, which every answer has, is a number, so that filters can compare it. */
const ACCESS_LOG_FORMAT = JSON.stringify(ACCESS_LOG).replace(/"(\$context\.responseLatency)"/, '$1');

const { ratePerSecond: ThrottlingRateLimit, burst: ThrottlingBurstLimit } = OWN_THROTTLE;
const ROUTE_SETTINGS = { ThrottlingRateLimit, ThrottlingBurstLimit };

type HttpTrigger = Extract<Trigger, { kind: 'http' }>;
type LogoutTrigger = Extract<Trigger, { kind: 'logout' }>;
type Served<T = HttpTrigger> = T & { readonly integration: HttpLambdaIntegration };
type Guard = Pick<AddRoutesOptions, 'authorizer' | 'authorizationScopes'>;

export interface TokenApiProps {
  readonly prefix: string;
  readonly environment: Environment;
  readonly functions: readonly BrokerFunction[];
  /** Rules that make administrators give the callers of their issuer the routes of operators. */
  readonly rules: CheckedPolicy['policy']['rules'];
}

/**
 * The HTTP API: for each issuer the routes of the contract, each behind the issuer's authorizer and its scope, and the one
 * for its logout tokens, which nothing else opens; and those of operators behind AWS_IAM.
 */
export class TokenApi extends Construct {
  readonly api: HttpApi;
  readonly url: string;
  /** What an operator's IAM policy allows `execute-api:Invoke` on. */
  readonly operatorArn: string;
  readonly accessLog: LogGroup;

  constructor(scope: Construct, id: string, { prefix, environment, functions, rules }: TokenApiProps) {
    super(scope, id);
    const { issuers, allowedOrigins, throttle, customDomain } = environment;
    this.api = new HttpApi(this, 'api', {
      apiName: prefix,
      createDefaultStage: false,
      disableExecuteApiEndpoint: customDomain !== undefined,
      corsPreflight: {
        allowOrigins: [...allowedOrigins],
        allowMethods: [CorsHttpMethod.GET, CorsHttpMethod.POST],
        allowHeaders: [...CORS_HEADERS.sent, ...(environment.allowedHeaders ?? [])],
        exposeHeaders: CORS_HEADERS.read,
        maxAge: Duration.hours(1),
      },
    });
    const routeSettings: Record<string, object> = {};
    const throttled: HttpRoute[] = [];
    const add = (
      { method, integration, ...route }: Served<HttpTrigger | LogoutTrigger>,
      path: string,
      guard?: Guard,
    ) => {
      const routes = this.api.addRoutes({ path, methods: [HttpMethod[method]], integration, ...guard });
      if (route.kind === 'logout')
        for (const open of routes)
          Validations.of(open).acknowledge({
            id: 'AwsSolutions-APIG4',
            reason: 'Issuers post logout tokens here, with no other credential; the function verifies each.',
          });
      if (route.kind === 'http' && route.scope === 'token') return;
      routeSettings[`${method} ${path}`] = ROUTE_SETTINGS;
      throttled.push(...routes);
    };
    const all = functions.flatMap((broker) => {
      const integration = new HttpLambdaIntegration(broker.name, broker.live);
      return triggersOf(broker).map((trigger) => ({ ...trigger, integration }));
    });
    const served = all.filter((route): route is Served => route.kind === 'http');
    for (const { name, url, audiences, scopes, logoutClients } of issuers) {
      const authorizer = new HttpJwtAuthorizer(`issuer${name === undefined ? '' : `-${name}`}`, url, {
        jwtAudience: [...audiences],
      });
      // Who lacks the scope of operators gets as far as the function, which refuses him and says so in the audit.
      const { token, revoke } = scopes;
      const own = rules.filter(({ issuer = url, mode }) => issuer === url && mode === 'enforce');
      const administered = own.some(({ administers }) => administers) ? [token] : undefined;
      const opening = { token: [token], revoke: revoke === undefined ? administered : [token, revoke] };
      for (const route of served) {
        const authorizationScopes = opening[route.scope];
        if (route.iam === true || authorizationScopes === undefined) continue;
        const guard = { authorizer, authorizationScopes: token === 'none' ? [] : authorizationScopes };
        add(route, pathFor(route.path, name), guard);
      }
      if (logoutClients === undefined) continue;
      for (const route of all) if (route.kind === 'logout') add(route, pathFor(route.path, name));
    }
    const authorizer = new HttpIamAuthorizer();
    for (const route of served.filter(({ iam }) => iam === true)) add(route, route.path, { authorizer });
    this.accessLog = new LogGroup(this, 'access-log', {
      logGroupName: `/aws/apigateway/${prefix}`,
      retention: environment.logRetentionDays,
      removalPolicy: removalOf(environment.purpose === 'production'),
    });
    const domain = customDomain && this.#domain(customDomain);
    const stage = new HttpStage(this, 'stage', {
      httpApi: this.api,
      stageName: '$default',
      autoDeploy: true,
      throttle: { rateLimit: throttle.ratePerSecond, burstLimit: throttle.burst },
      accessLogSettings: {
        destination: new LogGroupLogDestination(this.accessLog),
        format: AccessLogFormat.custom(ACCESS_LOG_FORMAT),
      },
      ...(domain ? { domainMapping: { domainName: domain } } : {}),
    });
    if (stage.node.defaultChild instanceof CfnStage) stage.node.defaultChild.routeSettings = routeSettings;
    // API Gateway refuses settings of a route that is not there yet.
    stage.node.addDependency(...throttled);
    this.operatorArn = this.api.arnForExecuteApi('*', '/operator/*', stage.stageName);
    // The API's own attribute, so that whatever made the API says where it is.
    this.url = customDomain ? `https://${customDomain.name}` : this.api.apiEndpoint;
  }

  #domain(settings: NonNullable<Environment['customDomain']>): DomainName {
    const domain = new DomainName(this, 'domain', {
      domainName: settings.name,
      certificate: Certificate.fromCertificateArn(this, 'certificate', settings.certificateArn),
    });
    new CfnOutput(this, 'domain-target', {
      value: domain.regionalDomainName,
      description: `Point a CNAME (or a Route 53 alias) for ${settings.name} here`,
    });
    return domain;
  }
}

const triggersOf = ({ name }: Pick<BrokerFunction, 'name'>): readonly Trigger[] => FUNCTIONS[name].triggers;

/** The routes of a function. */
export function httpTriggers(broker: Pick<BrokerFunction, 'name'>): HttpTrigger[] {
  return triggersOf(broker).filter((trigger) => trigger.kind === 'http');
}
