import { CfnOutput, Duration } from 'aws-cdk-lib';
import {
  CorsHttpMethod,
  DomainName,
  HttpApi,
  HttpMethod,
  HttpStage,
  LogGroupLogDestination,
} from 'aws-cdk-lib/aws-apigatewayv2';
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway';
import { HttpJwtAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { FUNCTIONS, pathFor } from '../../functions/contract/functions.ts';
import type { Trigger } from '../../functions/contract/functions.ts';
import type { Environment } from '../environments/environment.ts';
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
};

export interface TokenApiProps {
  readonly prefix: string;
  readonly environment: Environment;
  readonly functions: readonly BrokerFunction[];
}

/** The HTTP API: for each issuer the routes of the contract, each behind the issuer's authorizer and its scope. */
export class TokenApi extends Construct {
  readonly api: HttpApi;
  readonly url: string;

  constructor(scope: Construct, id: string, { prefix, environment, functions }: TokenApiProps) {
    super(scope, id);
    const { issuers, allowedOrigins, throttle, customDomain } = environment;
    this.api = new HttpApi(this, 'api', {
      apiName: prefix,
      createDefaultStage: false,
      disableExecuteApiEndpoint: customDomain !== undefined,
      corsPreflight: {
        allowOrigins: [...allowedOrigins],
        allowMethods: [CorsHttpMethod.GET, CorsHttpMethod.POST],
        allowHeaders: ['authorization', 'content-type', 'accept', ...(environment.allowedHeaders ?? [])],
        exposeHeaders: [
          'retry-after',
          'x-correlation-id',
          'apigw-requestid',
          'www-authenticate',
          'x-amzn-remapped-www-authenticate',
        ],
        maxAge: Duration.hours(1),
      },
    });
    const integrations = functions.map(
      (broker) => [broker, new HttpLambdaIntegration(broker.name, broker.live)] as const,
    );
    for (const { name, url, audiences, scopes } of issuers) {
      const authorizer = new HttpJwtAuthorizer(`issuer${name === undefined ? '' : `-${name}`}`, url, {
        jwtAudience: [...audiences],
      });
      for (const [broker, integration] of integrations) {
        for (const { path, method, scope } of httpTriggers(broker)) {
          this.api.addRoutes({
            path: pathFor(path, name),
            methods: [HttpMethod[method]],
            integration,
            authorizer,
            authorizationScopes: scopes[scope] === 'none' ? [] : [scopes[scope]],
          });
        }
      }
    }
    const accessLog = new LogGroup(this, 'access-log', {
      logGroupName: `/aws/apigateway/${prefix}`,
      retention: environment.logRetentionDays,
      removalPolicy: removalOf(environment.purpose === 'production'),
    });
    const domain = customDomain && this.#domain(customDomain);
    new HttpStage(this, 'stage', {
      httpApi: this.api,
      stageName: '$default',
      autoDeploy: true,
      detailedMetricsEnabled: true,
      throttle: { rateLimit: throttle.ratePerSecond, burstLimit: throttle.burst },
      accessLogSettings: {
        destination: new LogGroupLogDestination(accessLog),
        format: AccessLogFormat.custom(JSON.stringify(ACCESS_LOG)),
      },
      ...(domain ? { domainMapping: { domainName: domain } } : {}),
    });
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

/** The routes of a function. */
export function httpTriggers({ name }: Pick<BrokerFunction, 'name'>): Extract<Trigger, { kind: 'http' }>[] {
  const triggers: readonly Trigger[] = FUNCTIONS[name].triggers;
  return triggers.filter((trigger) => trigger.kind === 'http');
}
