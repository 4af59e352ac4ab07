/** The least that operator could load: the AWS clients and calls that it uses. */
import { BatchGetItemCommand, DynamoDBClient, GetItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';

const kept = [
  new DynamoDBClient({}),
  new SecretsManagerClient({}),
  [BatchGetItemCommand, GetItemCommand, QueryCommand, GetSecretValueCommand],
];

export const handler = async () => kept.length;
