import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface FakeCloudFormation {
  readonly url: string;
  close(): void;
}

/** A CloudFormation that knows the outputs of one stack; while `outputs` gives none, there is no such stack. */
export async function startCloudFormation(
  outputs: () => Readonly<Record<string, string>> | undefined,
  status = () => 'CREATE_COMPLETE',
): Promise<FakeCloudFormation> {
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'text/xml');
    const now = outputs();
    if (now === undefined) {
      response.statusCode = 400;
      const error =
        '<Error><Type>Sender</Type><Code>ValidationError</Code><Message>Stack with id thoughtspot-broker-dev does not exist</Message></Error>';
      response.end(`<ErrorResponse>${error}<RequestId>1</RequestId></ErrorResponse>`);
      return;
    }
    const members = Object.entries(now).map(
      ([key, value]) => `<member><OutputKey>${key}</OutputKey><OutputValue>${value}</OutputValue></member>`,
    );
    const one = `<member><StackName>x</StackName><StackStatus>${status()}</StackStatus><Outputs>${members.join('')}</Outputs></member>`;
    response.end(
      `<DescribeStacksResponse><DescribeStacksResult><Stacks>${one}</Stacks></DescribeStacksResult></DescribeStacksResponse>`,
    );
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() };
}
