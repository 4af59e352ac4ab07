/**
 * The least that gettoken, revoketoken, sessioninfo and sweep could load: the AWS clients and calls that they use, and
 * one HTTP pool. It contains no code of the broker.
 */
import {
  BatchGetItemCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { DecryptCommand, GenerateDataKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import Pool from 'undici/lib/dispatcher/pool.js';

const kept = [
  new DynamoDBClient({}),
  new KMSClient({}),
  new SecretsManagerClient({}),
  new Pool('http://127.0.0.1:9'),
  [BatchGetItemCommand, GetItemCommand, PutItemCommand, QueryCommand, UpdateItemCommand],
  [DecryptCommand, GenerateDataKeyCommand, GetSecretValueCommand],
];

export const handler = async () => kept.length;
